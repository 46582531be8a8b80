"""The set of ratios that data do not exclude, bounded or not."""

import math
from dataclasses import dataclass
from enum import StrEnum

from metrics import Contrast


class Shape(StrEnum):
    """What a confidence set of a ratio looks like.

    INTERVAL: from low to high; an end that is None lies at infinity.
    RAYS: all up to low, and all from high on; what lies between is excluded.
    LINE: every value; nothing is excluded.
    """

    INTERVAL = "interval"
    RAYS = "rays"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class ConfidenceSet:
    """{θ : |above − θ·below| ≤ t·se}, in units of the ratio. See `Shape` for low and high."""

    shape: Shape
    low: float | None = None
    high: float | None = None

    @property
    def bounded(self) -> bool:
        """Whether it is an interval with two ends."""
        return self.shape is Shape.INTERVAL and self.low is not None and self.high is not None

    def __contains__(self, ratio: float) -> bool:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        match self.shape:
            case Shape.INTERVAL:
                return low <= ratio <= high
            case Shape.RAYS:
                return ratio <= low or ratio >= high
            case _:
                return True


def confidence_set(above: Contrast, below: Contrast, v12: float, t: float) -> ConfidenceSet:
    """Every ratio above/below that is within t standard errors of its own contrast.

    v12: covariance of the two. It is bounded exactly if the denominator lies more than t standard errors from 0
    (g < 1 in Fieller's notation); metrics.fieller gives the same ends there, and None elsewhere.
    Source: Fieller 1954, J. R. Stat. Soc. B 16:175. As a quadratic aθ² − 2bθ + c ≤ 0.
    """
    a = below.value**2 - t**2 * below.variance
    b = above.value * below.value - t**2 * v12
    c = above.value**2 - t**2 * above.variance
    inside = b**2 - a * c
    if a > 0:
        reach = math.sqrt(max(inside, 0.0))  # the ratio itself is in the set: below 0 is rounding
        return ConfidenceSet(Shape.INTERVAL, (b - reach) / a, (b + reach) / a)
    if a < 0 and inside > 0:
        reach = math.sqrt(inside)
        return ConfidenceSet(Shape.RAYS, (b + reach) / a, (b - reach) / a)
    if a == 0 and b > 0:
        return ConfidenceSet(Shape.INTERVAL, c / (2 * b), None)
    if a == 0 and b < 0:
        return ConfidenceSet(Shape.INTERVAL, None, c / (2 * b))
    return ConfidenceSet(Shape.LINE)
