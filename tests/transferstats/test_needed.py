"""tests transferstats/needed.py: what is said to settle a cell settles it, and less does not."""

import numpy as np
import pytest
from scipy.special import ndtri

from tests.transferstats.arms import accuracies_for, world
from transferstats.cells import Cell
from transferstats.needed import Needed, needed_to_decide, needed_to_measure
from transferstats.sentences import sentence
from transferstats.verdict import Outcome, judge


def tiled(arms: dict[str, np.ndarray], items: int = 1, seeds: int = 1) -> Cell:
    """As many times the items and seeds, with the very same mean."""
    return Cell(**{name: np.tile(rows, (seeds, items)) for name, rows in arms.items()})


def test_more_items_settle_what_more_items_can() -> None:
    arms = world(np.random.default_rng(3), accuracies_for(0.5), items=200, spread=0.0)
    for name in arms:  # no seed variance at all, so that copies of items behave like items
        arms[name] = np.stack([arms[name][0]] * 2)
    cell = tiled(arms)
    needed = needed_to_measure(cell)
    assert needed.seeds is None
    share = ((4 + ndtri(0.8)) / cell.gap_over_se) ** 2  # the variance goes as 1 / items
    assert needed.items == pytest.approx(200 * share, rel=0.02)
    assert tiled(arms, items=round(share + 0.5)).gap_over_se > 4


def test_more_seeds_settle_what_more_seeds_can() -> None:
    arms = world(np.random.default_rng(4), accuracies_for(0.35), items=4000, spread=0.08)
    cell = tiled(arms)
    assert judge(cell).outcome is Outcome.INCONCLUSIVE
    needed = needed_to_decide(cell, 0.2)
    assert needed.items is None  # items are plenty: runs differ
    assert needed.seeds is not None
    assert needed.both is None
    assert "more items alone cannot" in sentence(judge(cell))
    settled = tiled(arms, seeds=-(-needed.seeds // 5))
    assert judge(settled).outcome is not Outcome.INCONCLUSIVE


def test_both_are_named_where_neither_alone_is_enough() -> None:
    for seed in range(40):
        arms = world(np.random.default_rng(seed), accuracies_for(0.3, gap=0.1), items=300, spread=0.08)
        needed = needed_to_decide(tiled(arms), 0.2)
        if needed.both:
            break
    assert needed.items is needed.seeds is None
    items, seeds = needed.both
    assert items / 300 == pytest.approx(seeds / 5, rel=0.01)


def test_an_estimate_at_the_margin_is_settled_by_nothing() -> None:
    items = np.arange(1000)
    rights = {"weak": 500, "candidate": 520, "vanilla": 500, "ceiling": 600}
    arms = {name: np.stack([np.roll(items < right, 50 * s) for s in range(2)]) for name, right in rights.items()}
    cell = Cell(**arms)
    assert cell.ratio() == pytest.approx(0.2)
    assert needed_to_decide(cell, 0.2) == Needed(None, None, None)


def test_one_set_of_weak_predictions_stays_one() -> None:
    arms = world(np.random.default_rng(5), accuracies_for(0.3), items=300)
    arms["weak"] = arms["weak"][:1]
    needed = needed_to_measure(Cell(**arms))
    assert needed.items is None or needed.items > 300
