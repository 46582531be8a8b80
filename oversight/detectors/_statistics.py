"""Small statistics that several detectors share."""

import math

from scipy.special import betainc, log_ndtr


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
