"""What a study could see, before it starts."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from metrics import CEILING, VANILLA, WEAK, Arms
from transferstats.cells import ALPHA
from transferstats.needed import POWER


@dataclass(frozen=True, slots=True)
class Detectable:
    """The least PGR above a margin that a cell would show at one-sided `ALPHA` with `POWER`, and what it rests on.

    pgr: None where the ceiling is not above the weak teacher. disagreement: share of items on which single runs of
    two arms differ. design_effect: how many times the variance grows because items share questions, 1 at least.
    seed_sd: of accuracy between runs. gap: of accuracy.
    """

    pgr: float | None
    disagreement: float
    design_effect: float
    seed_sd: float
    gap: float
    items: int
    seeds: int


def minimum_detectable_pgr(*, disagreement: float, seed_sd: float, seeds: int, items: float, gap: float) -> float:
    """(z_.95 + z_.80) · √(d/n + 2σ²/S) / G: both arms' seeds count, and the gap as known.

    disagreement: d, in [0, 1]. seed_sd: σ, of accuracy. Returns: units of PGR.
    Raises: ValueError where a size is not positive.
    Source: the usual one-sided sample size formula; d/n bounds the paired variance of two shares (McNemar 1947).
    """
    if seeds < 1 or items <= 0 or gap <= 0 or not 0 <= disagreement <= 1 or seed_sd < 0:
        raise ValueError("seeds, items and gap must be positive, disagreement in [0, 1], seed_sd not negative")
    se = math.sqrt(disagreement / items + 2 * seed_sd**2 / seeds)
    return float(ndtri(1 - ALPHA) + ndtri(POWER)) * se / gap


def detectable(
    *, weak: ArrayLike, vanilla: ArrayLike, ceiling: ArrayLike, seeds: int, groups: ArrayLike | None = None
) -> Detectable:
    """What a candidate of so many seeds could be shown to recover, if it behaves like vanilla.

    weak, vanilla, ceiling: correctness of the frozen arms, (seeds, items) of 0/1. groups: (items,) question of each.
    seeds: planned for the candidate. The larger seed variance of weak and vanilla counts for both; a single fixed
    set of weak labels has none. Items of one question count for less: the formula gets items / design effect.
    """
    given = {WEAK: weak, VANILLA: vanilla, CEILING: ceiling}
    arms, alone = Arms(given, groups), Arms(given)
    u = np.array([-1.0, 1.0, 0.0])
    variances = [float(u @ some.item_covariance @ u) for some in (arms, alone)]
    design_effect = max(1.0, variances[0] / variances[1]) if variances[1] > 0 else 1.0
    gap = arms.means[CEILING] - arms.means[WEAK]
    apart = disagreement(weak, vanilla)
    seed_sd = math.sqrt(max(arms.seed_variances[WEAK], arms.seed_variances[VANILLA]))
    least = None
    if gap > 0:
        least = minimum_detectable_pgr(
            disagreement=apart, seed_sd=seed_sd, seeds=seeds, items=arms.n_items / design_effect, gap=gap
        )
    return Detectable(least, apart, design_effect, seed_sd, gap, arms.n_items, seeds)


def disagreement(first: ArrayLike, second: ArrayLike) -> float:
    """Share of items on which one arm's run is right and the other's wrong, over all pairs of runs.

    first, second: correctness, (seeds, items) of 0/1 over the same items.
    """
    one, other = (np.atleast_2d(np.asarray(rows, dtype=np.float64)).mean(axis=0) for rows in (first, second))
    return float(np.mean(one * (1 - other) + other * (1 - one)))
