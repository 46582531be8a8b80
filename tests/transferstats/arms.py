"""Worlds whose truth is known: correctness of the four arms over shared items."""

import math

import numpy as np
from scipy.special import ndtr, ndtri

ARMS = ("weak", "candidate", "vanilla", "ceiling")
EASY, OWN = 0.6, 0.4  # of the item's variance: common to all arms, and of one arm over all its seeds


def world(
    rng: np.random.Generator,
    accuracies: tuple[float, float, float, float],
    *,
    items: int = 1000,
    seeds: int = 5,
    spread: float = 0.03,
) -> dict[str, np.ndarray]:
    """name -> (seeds, items) bool. Probit: item, item × arm, run (`spread`) and item × run effects.

    `accuracies` are those of the four arms, in order, at a run effect of 0; see `truth`.
    """
    easy = rng.normal(size=items)
    arms = {}
    for name, accuracy in zip(ARMS, accuracies, strict=True):
        level = ndtri(accuracy) * math.sqrt(2) + rng.normal(0, spread, size=(seeds, 1))
        item = math.sqrt(EASY) * easy + math.sqrt(OWN) * rng.normal(size=items)
        arms[name] = rng.normal(size=(seeds, items)) < level + item
    return arms


def accuracies_for(pgr: float, *, weak: float = 0.65, gap: float = 0.1) -> tuple[float, float, float, float]:
    """Weak, candidate, vanilla (a tenth of the gap) and ceiling, so that the candidate's PGR is `pgr`."""
    return weak, weak + pgr * gap, weak + 0.1 * gap, weak + gap


def truth(accuracies: tuple[float, float, float, float], spread: float = 0.03) -> float:
    """The PGR of `world` in infinitely many items and runs."""
    weak, candidate, _, ceiling = (ndtr(ndtri(a) * math.sqrt(2) / math.sqrt(2 + spread**2)) for a in accuracies)
    return (candidate - weak) / (ceiling - weak)
