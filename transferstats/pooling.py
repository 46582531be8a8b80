"""A mean over cells whose truths differ, and what a new cell may hold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metrics import Floats, t_quantile

FEWEST_CELLS = 4  # below it the spread between cells is a guess
ITERATIONS = 200


@dataclass(frozen=True, slots=True)
class Pooled:
    """Mean of the cells' truths with its interval, their spread, and where the truth of a new cell lies.

    tau: standard deviation between cells' truths. i2: share of the estimates' variance that is not their own noise.
    low, high: 95% interval of the mean. new_low, new_high: 95% prediction interval of a new cell's truth.
    """

    cells: int
    mean: float
    se: float
    low: float
    high: float
    tau: float
    i2: float
    new_low: float
    new_high: float


def pool(estimates: Sequence[float], variances: Sequence[float]) -> Pooled:
    """Random effects over k ≥ 4 cells.

    estimates: (k,) PGR, say. variances: (k,) of each, from its own noise, above 0.
    Raises: ValueError for fewer cells, or variances that are not positive and finite.
    Source: Paule and Mandel 1982 (τ²); Hartung and Knapp 2001, Stat. Med. 20:3875 (interval, t with k − 1);
    Higgins and Thompson 2002 (I²); Higgins, Thompson and Spiegelhalter 2009 (prediction, t with k − 2).
    Departs: the scale of Hartung and Knapp never falls below 1, or cells that agree by luck would have a narrower
    interval than their own noise allows (Röver, Knapp and Friede 2015). The prediction interval is short where cells
    differ, their spread being itself a guess: it held the truth of a new cell in 86% to 98% of studies
    (docs/transfer.md).
    """
    y, v = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    k = len(y)
    if k < FEWEST_CELLS or v.shape != y.shape:
        raise ValueError(f"{k} estimates with {len(v)} variances; at least {FEWEST_CELLS} of each are pooled")
    if not (np.isfinite(y).all() and np.isfinite(v).all() and (v > 0).all()):
        raise ValueError("estimates must be finite, variances positive and finite")
    tau2 = paule_mandel(y, v)
    weights = 1 / (v + tau2)
    mean, spread = _mean_and_spread(y, weights)
    se = math.sqrt(max(1.0, spread / (k - 1)) / float(weights.sum()))
    q = _mean_and_spread(y, 1 / v)[1]
    reach = t_quantile(k - 1, 0.95) * se
    new_reach = t_quantile(k - 2, 0.95) * math.sqrt(tau2 + se**2)
    return Pooled(
        cells=k,
        mean=mean,
        se=se,
        low=mean - reach,
        high=mean + reach,
        tau=math.sqrt(tau2),
        i2=max(0.0, 1 - (k - 1) / q) if q > 0 else 0.0,
        new_low=mean - new_reach,
        new_high=mean + new_reach,
    )


def paule_mandel(estimates: Floats, variances: Floats) -> float:
    """τ² at which the weighted squares about the mean sum to k − 1; 0 where they are fewer without it.

    Newton's steps from 0 climb to the root and never pass it: the sum is convex and falls in τ².
    Source: Paule and Mandel 1982; DerSimonian and Kacker 2007, Contemp. Clin. Trials 28:105 (the iteration).
    """
    tau2 = 0.0
    for _ in range(ITERATIONS):
        weights = 1 / (variances + tau2)
        mean, spread = _mean_and_spread(estimates, weights)
        excess = spread - (len(estimates) - 1)
        if excess <= 0:
            break
        step = excess / float(np.sum(weights**2 * (estimates - mean) ** 2))
        tau2 += step
        if step <= 1e-14 * tau2:
            break
    return tau2


def _mean_and_spread(estimates: Floats, weights: Floats) -> tuple[float, float]:
    """Weighted mean, and the weighted sum of squares about it."""
    mean = float(weights @ estimates / weights.sum())
    return mean, float(weights @ (estimates - mean) ** 2)
