"""Small statistics that several detectors share."""

import math
from functools import cache

import numpy as np
from scipy.special import betainc, log_ndtr, ndtr


def upper_tail(z: float) -> float:
    """P(Z > z) of the standard normal, accurate far out."""
    return math.exp(log_ndtr(-z))


def binomial_tail(hits: int, trials: int, rate: float) -> float:
    """P(X ≥ hits) for X binomial(trials, rate)."""
    if hits <= 0:
        return 1.0
    return float(betainc(hits, trials - hits + 1, rate)) if hits <= trials else 0.0


def chance_z(agreement: float, items: int) -> float:
    """How far an agreement is from one half, in standard errors of coin tosses: (a − .5) · 2√n."""
    return (agreement - 0.5) * 2 * math.sqrt(items)


@cache
def expected_maximum(k: int) -> float:
    """E max of k independent standard normals: 1.54 for 10, 1.87 for 20, 2.25 for 50, 2.51 for 100."""
    if k <= 1:
        return 0.0
    grid = np.linspace(-9, 9, 20_001)
    cdf = ndtr(grid) ** k
    return float(np.trapezoid((grid >= 0) - cdf, grid))
