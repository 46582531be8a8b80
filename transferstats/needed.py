"""How many items or seeds would settle what a cell leaves open, if its present estimate holds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from metrics import MEASURABLE_GAP_OVER_SE, Floats
from transferstats.cells import ALPHA, ARMS, Cell

POWER = 0.80
MOST_ITEMS, MOST_SEEDS = 10_000_000, 1_000  # more than anybody has or trains: past them the answer is "cannot"


@dataclass(frozen=True, slots=True)
class Needed:
    """What settles it at 80% power, at the present estimate and variances; None: that alone cannot.

    items: with today's seeds. seeds: per arm that is trained, with today's items.
    both: (items, seeds), all grown by one factor; only where neither alone is enough.
    """

    items: int | None
    seeds: int | None
    both: tuple[int, int] | None = None


def needed_to_measure(cell: Cell) -> Needed:
    """Until the gap is as many standard errors from 0 as a measurable cell asks."""
    grown = _Grown(cell, _GAP)
    return _search(cell, lambda items, seeds: grown.in_se(items, seeds)[0] >= MEASURABLE_GAP_OVER_SE + ndtri(POWER))


def needed_to_decide(cell: Cell, theta_min: float, alpha: float = ALPHA) -> Needed:
    """Until the ratio is told apart from θ_min, on the side where it lies now, in a gap that is told apart from 0."""
    psi, gap = _Grown(cell, np.array([theta_min - 1, 1.0, 0.0, -theta_min])), _Grown(cell, _GAP)

    def decides(items: float, seeds: float) -> bool:
        distance, df = psi.in_se(items, seeds)
        width, gap_df = gap.in_se(items, seeds)
        bounded = width >= max(MEASURABLE_GAP_OVER_SE, stdtrit(gap_df, 1 - alpha))
        return bool(bounded and abs(distance) >= stdtrit(df, 1 - alpha) + ndtri(POWER))

    return _search(cell, decides)


_GAP = np.array([-1.0, 0.0, 0.0, 1.0])  # weights in the order of ARMS


class _Grown:
    """A contrast as it would be with other numbers of items and seeds: same mean, same variance parts."""

    def __init__(self, cell: Cell, weights: Floats) -> None:
        arms = cell.arms
        self._items = cell.n_items
        self._seeds = np.array([float(cell.seeds[name]) for name in ARMS])
        self._value = float(weights @ cell.accuracies)
        self._runs = weights**2 * np.array([arms.run_noise[name] for name in ARMS])  # item-by-run noise, one run each
        self._spread = weights**2 * np.array([arms.seed_variances[name] for name in ARMS])
        shared = float(weights @ arms.item_covariance @ weights) - float((self._runs / self._seeds).sum())
        self._shared = max(shared, 0.0)  # of items alone: what no number of seeds removes

    def in_se(self, items: float, seeds: float) -> tuple[float, float]:
        """(mean in standard errors, degrees of freedom); an arm that has more seeds keeps them."""
        trained = np.where(self._seeds > 1, np.maximum(self._seeds, seeds), self._seeds)
        between = self._spread / trained
        variance = (self._shared + float((self._runs / trained).sum())) * self._items / items + float(between.sum())
        if variance == 0:
            return float(np.sign(self._value) * np.inf) if self._value else 0.0, np.inf
        parts = float((between**2 / np.maximum(trained - 1, 1)).sum())
        return self._value / np.sqrt(variance), variance**2 / parts if parts > 0 else np.inf


def _search(cell: Cell, enough: Callable[[float, float], bool]) -> Needed:
    items, fewest = cell.n_items, min(count for count in cell.seeds.values() if count > 1)
    more_items = _smallest(items, MOST_ITEMS, lambda n: enough(n, fewest))
    more_seeds = _smallest(fewest, MOST_SEEDS, lambda n: enough(items, n))
    if more_items is not None or more_seeds is not None:
        return Needed(more_items, more_seeds)
    seeds = _smallest(fewest, MOST_SEEDS, lambda n: enough(items * n / fewest, n))
    return Needed(None, None, None if seeds is None else (-(-items * seeds // fewest), seeds))


def _smallest(now: int, most: int, enough: Callable[[int], bool]) -> int | None:
    """The smallest count above today's that is enough, or None if `most` is not; more is never worse."""
    if now >= most or not enough(most):
        return None
    low, high = now, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
