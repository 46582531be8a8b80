"""tests transferstats/verdict.py: five outcomes, in their order, in words."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.transferstats.arms import accuracies_for, world
from transferstats.cells import Cell
from transferstats.sentences import sentence
from transferstats.verdict import Outcome, Verdict, judge

# Each outcome in a world where it is nearly certain: (PGR, gap, items, spread)
WORLDS = {
    Outcome.NOT_MEASURABLE: (0.5, 0.02, 500, 0.03),
    Outcome.TRANSFERS: (0.9, 0.2, 2000, 0.03),
    Outcome.HARMS: (-0.6, 0.2, 2000, 0.03),
    Outcome.DOES_NOT_TRANSFER: (0.0, 0.2, 5000, 0.01),
    Outcome.INCONCLUSIVE: (0.2, 0.1, 1000, 0.03),
}


def judged(outcome: Outcome, seed: int = 0) -> Verdict:
    pgr, gap, items, spread = WORLDS[outcome]
    arms = world(np.random.default_rng(seed), accuracies_for(pgr, gap=gap), items=items, spread=spread)
    return judge(Cell(**arms))


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_is_reached_and_told(outcome: Outcome) -> None:
    found = judged(outcome)
    assert found.outcome is outcome
    assert sentence(found).startswith(outcome.value.replace("_", " ").capitalize())
    assert "nan" not in sentence(found).lower()
    assert "None" not in sentence(found)
    assert (found.needed is not None) == (outcome in {Outcome.INCONCLUSIVE, Outcome.NOT_MEASURABLE})


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    pgr=st.floats(-1, 1.5),
    gap=st.sampled_from([-0.1, 0.0, 0.05, 0.2]),
    items=st.integers(2, 400),
    seeds=st.integers(2, 6),
    spread=st.sampled_from([0.0, 0.03, 0.3]),
)
def test_every_cell_gets_one_verdict_that_follows_its_bounds_and_never_worsens_when_less_is_asked(
    seed: int, pgr: float, gap: float, items: int, seeds: int, spread: float
) -> None:
    accuracies = tuple(min(max(a, 0.05), 0.95) for a in accuracies_for(pgr, gap=gap))
    cell = Cell(**world(np.random.default_rng(seed), accuracies, items=items, seeds=seeds, spread=spread))
    ladder = {Outcome.TRANSFERS: 0, Outcome.INCONCLUSIVE: 1, Outcome.HARMS: 2, Outcome.DOES_NOT_TRANSFER: 2}
    last = 0
    for theta_min in (0.0, 0.1, 0.2, 0.5, 1.0):
        found = judge(cell, theta_min)
        for field in fields(found):
            value = getattr(found, field.name)
            assert not (isinstance(value, float) and math.isnan(value)), field.name
        assert sentence(found)
        if found.outcome is Outcome.NOT_MEASURABLE:
            assert found.gap_over_se < 4
            continue
        assert ladder[found.outcome] >= last
        last = ladder[found.outcome]
        transfers, harms = found.outcome is Outcome.TRANSFERS, found.outcome is Outcome.HARMS
        assert transfers == (found.lower is not None and found.lower > theta_min)
        assert harms == (not transfers and found.upper is not None and found.upper < 0)
        if found.lower is not None:
            assert transfers == (found.p_transfers < 0.05)
            assert (found.upper < theta_min) == (found.p_does_not_transfer < 0.05)
            assert (found.upper < 0) == (found.p_harms < 0.05)


@given(
    measurable=st.booleans(),
    pair=st.tuples(st.floats(-2, 2), st.floats(-2, 2)).map(sorted),
    theta_min=st.floats(0, 1),
)
@example(measurable=True, pair=[-0.5, -0.1], theta_min=0.2)
@example(measurable=True, pair=[0.01, 0.1], theta_min=0.2)
def test_the_first_rule_that_holds_decides(measurable: bool, pair: list[float], theta_min: float) -> None:
    from transferstats.verdict import _outcome

    lower, upper = pair
    rules = {
        Outcome.NOT_MEASURABLE: not measurable,
        Outcome.TRANSFERS: lower > theta_min,
        Outcome.HARMS: upper < 0,
        Outcome.DOES_NOT_TRANSFER: upper < theta_min,
        Outcome.INCONCLUSIVE: True,
    }
    assert _outcome(measurable, lower, upper, theta_min) is next(name for name, holds in rules.items() if holds)


def test_a_cell_that_is_not_measurable_supports_no_claim() -> None:
    found = judged(Outcome.NOT_MEASURABLE)
    assert (found.p_transfers, found.p_does_not_transfer, found.p_harms) == (1, 1, 1)
    assert "says nothing about the method" in sentence(found)


def test_a_bound_above_nothing_is_said_to_be_positive_but_small() -> None:
    arms = world(np.random.default_rng(0), accuracies_for(0.2, gap=0.2), items=4000, spread=0.01)
    found = judge(Cell(**arms))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.positive_but_small
    assert "Positive but small or unresolved" in sentence(found)
    assert not judged(Outcome.TRANSFERS).positive_but_small
    assert not judged(Outcome.HARMS).positive_but_small


def test_figures_in_words_differ_from_the_margin_as_the_numbers_do() -> None:
    found = replace(judged(Outcome.TRANSFERS), lower=0.2004)
    assert "at least 0.2004 of the gap" in sentence(found)
    assert "above the margin of 0.20;" in sentence(found)


def test_a_ceiling_that_is_no_higher_is_no_gap() -> None:
    rows = np.tile(np.arange(50) < 25, (5, 1))
    found = judge(Cell(weak=rows, candidate=rows, vanilla=rows, ceiling=rows))
    assert found.outcome is Outcome.NOT_MEASURABLE
    assert found.pgr is None
    assert "no gap to recover" in sentence(found)
    assert found.needed.items is found.needed.seeds is found.needed.both is None


def test_two_seeds_that_differ_a_lot_exclude_nothing() -> None:
    arms = world(np.random.default_rng(24), accuracies_for(0.5, gap=0.2), items=3000, seeds=2, spread=0.1)
    found = judge(Cell(**arms))
    assert found.gap_over_se > 4
    assert (found.outcome, found.lower, found.upper) == (Outcome.INCONCLUSIVE, None, None)
    assert "no share of the gap can be excluded" in sentence(found)
    assert found.needed.seeds > 2


@pytest.mark.parametrize("theta_min", [-0.1, 1.1, math.nan])
def test_a_margin_outside_of_the_gap_is_refused(theta_min: float) -> None:
    rows = np.ones((2, 5))
    with pytest.raises(ValueError, match="theta_min"):
        judge(Cell(weak=rows, candidate=rows, vanilla=rows, ceiling=rows), theta_min)
