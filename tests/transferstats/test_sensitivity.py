"""tests transferstats/sensitivity.py: missing runs recover nothing; resampling agrees with the formula."""

import numpy as np
import pytest

from tests.transferstats.arms import accuracies_for, world
from transferstats.cells import Cell
from transferstats.sensitivity import resampled_interval, with_failures
from transferstats.verdict import Outcome, judge


def arms() -> dict[str, np.ndarray]:
    return world(np.random.default_rng(0), accuracies_for(0.6, gap=0.2), items=2000)


def test_a_missing_run_recovers_nothing() -> None:
    four = {**arms(), "candidate": arms()["candidate"][:4]}
    found = with_failures(**four, planned=5)
    assert found.ratio() == pytest.approx(Cell(**four).ratio() * 4 / 5)
    assert found.seeds["candidate"] == 5
    assert found.psi(0.2).variance > Cell(**four).psi(0.2).variance  # failing is a difference between runs
    assert judge(found).outcome in set(Outcome)


def test_with_all_runs_there_is_nothing_to_count() -> None:
    found, cell = with_failures(**arms(), planned=5), Cell(**arms())
    assert judge(found) == judge(cell)


def test_if_all_crashed_nothing_is_recovered() -> None:
    none = {**arms(), "candidate": np.zeros((0, 2000))}
    found = with_failures(**none, planned=5)
    assert found.ratio() == pytest.approx(0)
    assert judge(found).outcome is Outcome.DOES_NOT_TRANSFER


def test_more_runs_than_planned_are_refused() -> None:
    with pytest.raises(ValueError, match="planned"):
        with_failures(**arms(), planned=4)


def test_resampling_is_a_little_wider_than_the_formula_and_repeats_itself() -> None:
    cell = Cell(**arms())
    formula, resampled = cell.interval(), resampled_interval(cell, seed=1)
    assert resampled == resampled_interval(cell, seed=1)
    width = formula.high - formula.low
    assert 0.85 * width < resampled[1] - resampled[0] < 1.6 * width
    assert abs(sum(resampled) - formula.low - formula.high) / 2 < 0.25 * width
    gain = resampled_interval(cell, seed=1, reference="vanilla")
    assert gain[0] < cell.ratio("vanilla") < gain[1]


def test_resampling_says_nothing_where_there_is_no_gap() -> None:
    flat = world(np.random.default_rng(1), (0.7, 0.7, 0.7, 0.7), items=100)
    assert resampled_interval(Cell(**flat), seed=1) is None
