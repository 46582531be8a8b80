"""What a submitter of predictions is told, and how much of the hidden labels that gives away. Pure arithmetic.

Source: Blum and Hardt 2015, arXiv:1502.04585 (the Ladder), with a fixed step in place of their adaptive one.
"""

import math
from typing import NamedTuple

STEPS = 100  # rungs between accuracy 0 and 1: η = .01
STEP = 1 / STEPS
CONFIDENCE = 0.95
_ROUNDING = 1e-9  # .73 + .01 is not .74 in binary


class Rung(NamedTuple):
    """The best accuracy the team has been told, a multiple of STEP, and whether this query raised it."""

    best: float
    moved: bool


def climb(best: float | None, accuracy: float) -> Rung:
    """The Ladder's answer to one query: moves only when accuracy exceeds the best told by more than a step.

    best: what was told last, None before the first query. accuracy: exact, in [0, 1].
    """
    if best is not None and accuracy <= best + STEP + _ROUNDING:
        return Rung(best, moved=False)
    return Rung(round(accuracy * STEPS) / STEPS, moved=True)


def leaked_bits(queries: int, updates: int) -> float:
    """What a transcript of the Ladder tells about the labels at most: which query moved it, and to which rung.

    U · (log2 k + log2 1/η) for U updates in k queries.
    """
    return updates * (math.log2(queries) + math.log2(STEPS)) if updates else 0.0


def bias_bound(bits: float, items: int, confidence: float = CONFIDENCE) -> float:
    """How far an accuracy on `items` may be off after `bits` about their labels leaked.

    Source: Dwork et al. 2015, arXiv:1506.02629 (max-information), with I in bits: √((I ln 2 + ln 1/δ) / 2n).
    """
    return math.sqrt((bits * math.log(2) + math.log(1 / (1 - confidence))) / (2 * items))
