"""PGR and its interval against numbers worked out by hand, resampling, and worlds whose truth is known."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from metrics import (
    NO_GAP,
    UNBOUNDED,
    Arms,
    Contrast,
    accuracy,
    correctness,
    fieller,
    gap_over_se,
    paired_difference,
    pgr,
    pgr_from_fixed,
    pgr_interval,
    t_quantile,
    wilson,
)


def world(
    rng: np.random.Generator,
    accuracies: tuple[float, float, float],
    *,
    items: int = 400,
    seeds: int = 8,
    spread: float = 0.0,
) -> list[np.ndarray]:
    """Correctness of weak, candidate and ceiling over shared items: an item is easy or hard for all of them."""
    easy = rng.normal(size=items)
    arms = []
    for wanted in accuracies:
        shift = rng.normal(0, spread, size=(seeds, 1))
        noise = rng.normal(size=(seeds, items))
        cut = -math.sqrt(2 + spread**2) * _quantile(wanted)
        arms.append(easy + shift + noise > cut)
    return arms


def _quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)


def test_pgr_is_the_share_of_the_gap() -> None:
    assert pgr(0.7, 0.6, 0.8) == pytest.approx(0.5)
    assert pgr(0.6, 0.6, 0.8) == 0
    assert pgr(0.55, 0.6, 0.8) == pytest.approx(-0.25)
    assert pgr(0.7, 0.8, 0.8) is None
    assert pgr(0.7, 0.9, 0.8) is None


def test_accuracy_cuts_at_a_half_along_the_last_axis() -> None:
    np.testing.assert_allclose(accuracy([[0.5, 0.49, 0.9], [0.1, 0.2, 0.3]], [1, 0, 0]), [2 / 3, 2 / 3])
    assert correctness([0.5, 0.2], [1, 1]).tolist() == [True, False]
    with pytest.raises(ValueError, match="NaN"):
        correctness([np.nan], [1])
    with pytest.raises(ValueError, match="labels for"):
        correctness([0.1, 0.2], [1])
    with pytest.raises(ValueError, match="no items"):
        accuracy(np.zeros((2, 0)), [])


def test_without_seeds_the_variance_is_that_of_the_items() -> None:
    weak, ceiling = np.array([1, 0, 0, 1, 0, 0.0]), np.array([1, 1, 1, 1, 0, 1.0])
    arms = Arms({"weak": weak, "ceiling": ceiling})
    contrast = arms.contrast({"ceiling": 1, "weak": -1})
    gain = ceiling - weak
    assert contrast.value == pytest.approx(gain.mean())
    assert contrast.variance == pytest.approx(gain.var(ddof=1) / 6)
    assert contrast.df == math.inf
    assert arms.item_covariance[0, 1] == pytest.approx(np.cov(weak, ceiling)[0, 1] / 6)


def test_items_of_one_question_count_once() -> None:
    rng = np.random.default_rng(0)
    weak, ceiling = rng.random((2, 5, 40)) < [[[0.5]], [[0.8]]]
    single = Arms({"weak": weak, "ceiling": ceiling})
    copied = Arms({"weak": np.repeat(weak, 3, 1), "ceiling": np.repeat(ceiling, 3, 1)}, np.repeat(np.arange(40), 3))
    np.testing.assert_allclose(copied.item_covariance, single.item_covariance)
    for arm in ("weak", "ceiling"):
        assert copied.seed_variances[arm] == pytest.approx(single.seed_variances[arm])


def test_seeds_that_differ_add_variance_and_seeds_that_do_not_add_none() -> None:
    # two seeds, right on all of 4 items and on none: between 0.5, item-by-run noise 0
    assert Arms({"a": [[1, 1, 1, 1], [0, 0, 0, 0]]}).seed_variances["a"] == pytest.approx(0.5)
    # accuracies .5 and .5: nothing between
    assert Arms({"a": [[1, 1, 0, 0], [0, 0, 1, 1]]}).seed_variances["a"] == 0
    assert Arms({"a": [[1, 0, 1, 1]]}).seed_variances["a"] == 0


def test_satterthwaite_never_falls_below_the_fewest_seeds() -> None:
    arms = Arms({"a": [[1] * 50, [0] * 50], "b": [[1] * 25 + [0] * 25]})
    assert arms.contrast({"a": 1, "b": -1}).df == pytest.approx(1, abs=0.1)


def test_fieller_ends_are_where_the_test_of_the_ratio_turns() -> None:
    above, below, v12 = Contrast(0.06, 0.0004, 12.0), Contrast(0.2, 0.0009, math.inf), 0.0002
    ends = fieller(above, below, v12)
    assert ends is not None
    t = t_quantile(12.0, 0.95)
    assert t == pytest.approx(2.1788, abs=1e-4)
    for end in ends:
        difference = above.value - end * below.value
        variance = above.variance - 2 * end * v12 + end**2 * below.variance
        assert difference**2 == pytest.approx(t**2 * variance)
    assert ends[0] < 0.3 < ends[1]


def test_a_gap_within_its_noise_has_no_bounded_interval() -> None:
    assert fieller(Contrast(0.1, 0.01, math.inf), Contrast(0.1, 0.01, math.inf), 0.0) is None
    rng = np.random.default_rng(1)
    estimate = pgr_interval(*[rng.random((3, 20)) < p for p in (0.5, 0.45, 0.55)])
    if estimate.value is not None:
        assert (estimate.bounded, estimate.low, estimate.reason) == (False, None, UNBOUNDED)


def test_a_ceiling_below_the_teacher_has_no_pgr() -> None:
    estimate = pgr_interval(candidate=[[1, 0, 1]], weak=[[1, 1, 1]], ceiling=[[1, 0, 0]])
    assert (estimate.value, estimate.low, estimate.reason) == (None, None, NO_GAP)


def test_the_interval_counts_its_seeds_and_items() -> None:
    weak, candidate, ceiling = world(np.random.default_rng(2), (0.6, 0.7, 0.8))
    estimate = pgr_interval(candidate[:3], weak, ceiling)
    assert (estimate.n_seeds, estimate.n_items, estimate.level) == (3, 400, 0.95)
    assert estimate.value == pytest.approx((candidate[:3].mean() - weak.mean()) / (ceiling.mean() - weak.mean()))


def test_resampling_agrees_with_the_formula() -> None:
    weak, candidate, ceiling = world(np.random.default_rng(3), (0.6, 0.7, 0.8), items=800, spread=0.1)
    arms = Arms({"weak": weak, "candidate": candidate, "ceiling": ceiling})
    ratio = ({"candidate": 1.0, "weak": -1.0}, {"ceiling": 1.0, "weak": -1.0})
    formula = arms.ratio(*ratio)
    resampled = arms.bootstrap(*ratio, rng=np.random.default_rng(0))
    assert formula.low is not None
    assert formula.high is not None
    assert resampled is not None
    width = formula.high - formula.low
    assert 0.8 * width < resampled[1] - resampled[0] < 1.6 * width
    assert abs(sum(resampled) / 2 - (formula.low + formula.high) / 2) < 0.25 * width


@pytest.mark.parametrize("spread", [0.0, 0.15])
def test_intervals_cover_the_truth_nineteen_times_in_twenty(spread: float) -> None:
    rng = np.random.default_rng(4)
    truth, covered, many = 0.5, 0, 400
    for _ in range(many):
        weak, candidate, ceiling = world(rng, (0.6, 0.7, 0.8), spread=spread)
        estimate = pgr_interval(candidate, weak, ceiling)
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= truth <= estimate.high
    assert 0.92 * many <= covered <= 0.99 * many


def test_the_paired_difference_is_tighter_than_two_intervals() -> None:
    rng = np.random.default_rng(5)
    weak, vanilla, ceiling = world(rng, (0.6, 0.65, 0.8))
    better = vanilla | (rng.random(vanilla.shape) < 0.1)
    paired = paired_difference(better, vanilla, weak, ceiling)
    alone = pgr_interval(better, weak, ceiling)
    gap = ceiling.mean() - weak.mean()
    assert paired.value == pytest.approx((better.mean() - vanilla.mean()) / gap)
    assert paired.se is not None
    assert alone.se is not None
    assert paired.se < 0.7 * alone.se
    assert paired_difference(vanilla, vanilla, weak, ceiling).value == 0


def test_the_gap_is_measured_in_its_own_noise() -> None:
    weak, _, ceiling = world(np.random.default_rng(6), (0.6, 0.7, 0.8))
    contrast = Arms({"weak": weak, "ceiling": ceiling}).contrast({"ceiling": 1, "weak": -1})
    assert gap_over_se(weak, ceiling) == pytest.approx(contrast.value / contrast.se)
    assert gap_over_se([[1, 0]], [[1, 0]]) == 0
    assert gap_over_se([[0, 0]], [[1, 1]]) == math.inf


def test_published_figures_add_up_all_their_noise() -> None:
    found = pgr_from_fixed([0.60, 0.64], (0.5, 0.01), (0.7, 0.02), 100)
    assert found.mean == pytest.approx(0.6)  # (.62 − .5) / .2
    assert found.se_seeds == pytest.approx(0.02 / 0.2)  # SD .0283 over √2 seeds
    items = math.sqrt(0.62 * 0.38 / 100) / 0.2
    baselines = math.hypot(0.4 * 0.01, 0.6 * 0.02) / 0.2
    assert found.se_total == pytest.approx(math.sqrt(0.1**2 + items**2 + baselines**2))
    with pytest.raises(ValueError, match="two seeds"):
        pgr_from_fixed([0.6], (0.5, 0.01), (0.7, 0.02), 100)


@pytest.mark.parametrize(
    ("correct", "groups", "message"),
    [
        ({"a": [[1, 0]], "b": [[1, 0, 1]]}, None, "same items"),
        ({"a": np.zeros((0, 3))}, None, "at least one seed"),
        ({"a": [[1]]}, None, "two items"),
        ({"a": [[1, 0]]}, [1], "groups for 2 items"),
        ({"a": [[1, 0]]}, [1, 1], "one question"),
    ],
)
def test_what_cannot_be_estimated_is_refused(correct, groups, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Arms(correct, groups)


def test_an_arm_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match="no arm"):
        Arms({"a": [[1, 0]]}).contrast({"b": 1})


def test_wilsons_interval_by_hand() -> None:
    assert wilson(0, 100) == pytest.approx((0.0, 0.0370), abs=1e-4)
    assert wilson(5, 100)[1] == pytest.approx(0.1118, abs=1e-4)
    assert wilson(2, 3) == (pytest.approx(0.2077, abs=1e-4), pytest.approx(0.9385, abs=1e-4))
    assert wilson(3, 3)[1] == 1.0
    assert wilson(0, 0) is None
