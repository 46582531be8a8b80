"""Several cells at once: p-values that stand together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metrics import Floats
from transferstats.cells import ALPHA


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: all of those at most alpha may be claimed, with error alpha for any of them being wrong.

    Holds however the cells depend on each other. Source: Holm 1979, Scand. J. Stat. 6:65.
    """
    found = _checked(p_values)
    order = np.argsort(found, kind="stable")
    return _back(order, np.array(partial_conjunction(p_values)))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """The q-value of each p-value: the least false discovery rate at which it would be reported.

    Source: Benjamini and Hochberg 1995, J. R. Stat. Soc. B 57:289.
    """
    found = _checked(p_values)
    order = np.argsort(found, kind="stable")
    ranked = found[order] * len(found) / np.arange(1, len(found) + 1)
    return _back(order, np.minimum.accumulate(ranked[::-1])[::-1])


def partial_conjunction(p_values: Sequence[float]) -> list[float]:
    """p-values of "fewer than u of the k hypotheses are false", for u = 1 to k: (k − u + 1) · p_(u), made monotone.

    In this Bonferroni form, which holds under any dependence (cells share models and data), they are Holm's adjusted
    p-values in ascending order: to count cells costs no more than to name them.
    Source: Benjamini and Heller 2008, Biometrics 64:1215.
    """
    found = np.sort(_checked(p_values))
    left = np.arange(len(found), 0, -1)
    return [float(p) for p in np.minimum(np.maximum.accumulate(left * found), 1.0)]


def at_least(p_values: Sequence[float], alpha: float = ALPHA) -> int:
    """The largest u for which "at least u of k" may be said with error alpha; 0 if nothing may."""
    return sum(p <= alpha for p in partial_conjunction(p_values))


def _checked(p_values: Sequence[float]) -> Floats:
    found = np.asarray(p_values, dtype=np.float64)
    if not ((found >= 0) & (found <= 1)).all():  # also where one is NaN
        raise ValueError("p-values must be in [0, 1]")
    return found


def _back(order: NDArray[np.intp], ascending: Floats) -> list[float]:
    out = np.empty(len(order))
    out[order] = np.minimum(ascending, 1.0)
    return [float(value) for value in out]
