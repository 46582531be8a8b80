"""How often transferstats errs, and sees what is there, in worlds whose truth is known.

Bands are three binomial standard errors about what `python -m bench.transfer` measured in as many worlds, or about the
nominal rate where a rate is promised.
"""

import math
from collections import Counter
from functools import cache

import numpy as np
import pytest

from tests.transferstats.arms import accuracies_for, truth, world
from transferstats.cells import Cell
from transferstats.verdict import Outcome, judge


def cells(pgr: float, many: int, *, seed: int = 7, **sizes: float) -> list[Cell]:
    rng = np.random.default_rng(seed)
    return [Cell(**world(rng, accuracies_for(pgr), **sizes)) for _ in range(many)]


@cache
def at_the_margin() -> list[Cell]:
    return cells(0.2, 2000)


def error(rate: float, many: int) -> float:
    return 3 * math.sqrt(rate * (1 - rate) / many)


@pytest.mark.parametrize("side", ["above", "below"])
def test_at_the_margin_one_in_twenty_is_taken_for_more_or_less(side: str) -> None:
    rejected = [getattr(cell, f"p_{side}")(0.2) < 0.05 for cell in at_the_margin()]
    assert 0.05 - error(0.05, 2000) - 0.01 < np.mean(rejected) < 0.05 + error(0.05, 2000) + 0.01


def test_fiellers_sets_hold_the_truth_nineteen_times_in_twenty() -> None:
    right = truth(accuracies_for(0.2))
    covered = [right in cell.interval() for cell in at_the_margin()]
    assert 0.95 - error(0.05, 2000) - 0.01 < np.mean(covered) < 0.95 + error(0.05, 2000) + 0.01


@pytest.mark.parametrize(
    ("pgr", "outcomes", "power"),
    [
        (0.5, {Outcome.TRANSFERS}, 0.84),
        (0.0, {Outcome.DOES_NOT_TRANSFER, Outcome.HARMS}, 0.53),
    ],
)
def test_power_is_what_was_measured(pgr: float, outcomes: set[Outcome], power: float) -> None:
    found = Counter(judge(cell).outcome for cell in cells(pgr, 400))
    assert abs(sum(found[outcome] for outcome in outcomes) / 400 - power) < error(power, 400)


def test_p_values_at_the_margin_are_spread_evenly() -> None:
    p_values = np.sort([cell.p_above(0.2) for cell in at_the_margin()])
    apart = np.abs(p_values - np.arange(1, 2001) / 2000).max()
    assert apart < 1.63 / math.sqrt(2000)  # Kolmogorov and Smirnov at .01
