"""tests transferstats/cells.py: variances by hand, bounds by brute force, what must not matter."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import t_quantile
from tests.transferstats.arms import ARMS, accuracies_for, world
from transferstats.cells import Cell

REFERENCES = ("weak", "vanilla")


def cell(seed: int = 0, pgr: float = 0.4, **sizes: float) -> Cell:
    return Cell(**world(np.random.default_rng(seed), accuracies_for(pgr), **sizes))


def test_variances_are_those_of_the_formulas() -> None:
    arms = world(np.random.default_rng(1), accuracies_for(0.5), items=300, spread=0.2)
    found = Cell(**arms)
    means = np.stack([arms[name].mean(axis=0) for name in ARMS])
    seeds = []
    for name in ARMS:
        correct = arms[name].astype(float)
        between = correct.mean(axis=1).var(ddof=1)
        runs = ((correct - correct.mean(axis=0)) ** 2).sum() / ((5 - 1) * 300)
        seeds.append(max(0, between - runs / 300) * 300 / 299)  # unbiased: runs' means are taken from the same items
    np.testing.assert_allclose(found.accuracies, [arms[name].mean() for name in ARMS])
    np.testing.assert_allclose(list(found.arms.seed_variances.values()), seeds)
    np.testing.assert_allclose(found.covariance, np.cov(means) / 300 + np.diag(seeds) / 5)
    u = np.array([-0.8, 1, 0, -0.2])
    psi = found.psi(0.2)
    assert psi.value == pytest.approx(u @ found.accuracies)
    assert psi.variance == pytest.approx(u @ found.covariance @ u)
    assert psi.df == pytest.approx(psi.variance**2 / sum((u**2 * seeds / 5) ** 2 / 4))
    assert psi.df >= 4


def test_the_gain_is_over_vanilla() -> None:
    found = cell()
    weak, candidate, vanilla, ceiling = found.accuracies
    assert found.ratio() == pytest.approx((candidate - weak) / (ceiling - weak))
    assert found.ratio("vanilla") == pytest.approx((candidate - vanilla) / (ceiling - weak))
    assert found.psi(0.3, "vanilla").value == pytest.approx(candidate - vanilla - 0.3 * (ceiling - weak))


def test_one_set_of_weak_predictions_has_no_seed_variance() -> None:
    arms = world(np.random.default_rng(2), accuracies_for(0.5), spread=0.2)
    arms["weak"] = arms["weak"][:1]
    found = Cell(**arms)
    assert found.arms.seed_variances["weak"] == 0
    assert found.gap.df == pytest.approx(found.gap.variance**2 / ((found.arms.seed_variances["ceiling"] / 5) ** 2 / 4))


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("spread", [0.0, 0.03, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_bounds_are_where_the_tests_begin_to_reject(reference: str, spread: float, seed: int) -> None:
    found = cell(seed, items=400, seeds=2 + seed, spread=spread)
    bounds = found.bounds(reference=reference)
    if bounds.lower is None:
        assert found.gap.value < t_quantile(found.gap.df, 0.90) * found.gap.se
        return
    thetas = np.linspace(bounds.lower - 3, bounds.upper + 3, 601)
    for theta in thetas[np.abs(thetas - bounds.lower) > 1e-9]:
        assert (found.p_above(theta, reference) < 0.05) == (theta < bounds.lower)
        assert (found.p_below(theta, reference) < 0.05) == (theta > bounds.upper)
    assert found.p_above(bounds.lower, reference) == pytest.approx(0.05)
    assert found.p_below(bounds.upper, reference) == pytest.approx(0.05)


def test_nothing_is_excluded_where_the_gap_is_in_doubt() -> None:
    found = Cell(**world(np.random.default_rng(3), (0.7, 0.7, 0.7, 0.705), items=200))
    assert found.bounds().lower is None
    assert found.bounds().upper is None
    assert not found.interval().bounded


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_items_and_seeds_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arms = world(rng, accuracies_for(0.5), items=60, seeds=3, spread=0.3)
    order = rng.permutation(60)
    shuffled = {name: rows[rng.permutation(3)][:, order] for name, rows in arms.items()}
    one, other = Cell(**arms), Cell(**shuffled)
    np.testing.assert_allclose(one.covariance, other.covariance, atol=1e-14)
    assert one.p_above(0.2) == pytest.approx(other.p_above(0.2))
    assert one.gap.df == pytest.approx(other.gap.df)


def test_rightness_turned_into_wrongness_turns_signs_only() -> None:
    arms = world(np.random.default_rng(4), accuracies_for(0.5))
    one, other = Cell(**arms), Cell(**{name: ~rows for name, rows in arms.items()})
    assert other.gap.value == pytest.approx(-one.gap.value)
    assert other.gap.variance == pytest.approx(one.gap.variance)
    assert other.p_above(0.2) == pytest.approx(one.p_below(0.2))


def test_items_counted_twice_as_one_question_change_nothing() -> None:
    arms = world(np.random.default_rng(5), accuracies_for(0.5))
    doubled = {name: np.repeat(rows, 2, axis=1) for name, rows in arms.items()}
    one, other = Cell(**arms), Cell(**doubled, groups=np.repeat(np.arange(1000), 2))
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-9)
    assert one.bounds().lower == pytest.approx(other.bounds().lower)


def test_without_any_noise_bounds_are_the_ratio() -> None:
    items = np.arange(10)
    rows = {name: np.tile(items < right, (2, 1)) for name, right in zip(ARMS, (0, 10, 0, 10), strict=True)}
    found = Cell(**rows)
    assert math.isinf(found.gap_over_se)
    assert found.bounds().lower == pytest.approx(1)
    assert found.bounds().upper == pytest.approx(1)
    assert found.p_above(0.5) == 0
    assert found.p_below(0.5) == 1


def test_equal_arms_have_no_ratio() -> None:
    rows = np.ones((5, 50))
    found = Cell(weak=rows, candidate=rows, vanilla=rows, ceiling=rows)
    assert found.ratio() is None
    assert found.gap_over_se == 0
    assert found.p_above(0.2) == found.p_below(0.2) == 1
    assert found.bounds().lower is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidate": np.ones((1, 50))}, "candidate: 1 seeds"),
        ({"ceiling": np.ones((0, 50))}, "ceiling: 0 seeds"),
        ({"weak": np.ones((0, 50))}, "weak: 0 seeds"),
        ({"vanilla": np.ones((5, 49))}, "same items"),
        ({"vanilla": np.ones(50)}, "must be"),
        ({"candidate": np.full((5, 50), np.nan)}, "0 or 1"),
        ({"candidate": np.full((5, 50), 0.7)}, "0 or 1"),
        ({"groups": np.zeros(50)}, "one question"),
        ({name: np.ones((5, 1)) for name in ARMS}, "1 items"),
    ],
)
def test_what_cannot_be_judged_is_refused(changes: dict[str, np.ndarray], message: str) -> None:
    rows = np.ones((5, 50))
    with pytest.raises(ValueError, match=message):
        Cell(**{**dict.fromkeys(ARMS, rows), **changes})
