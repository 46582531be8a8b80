"""One cell of a transfer study: four arms over the same items, and what their contrasts say of the PGR."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from metrics import CANDIDATE, CEILING, VANILLA, WEAK, Arms, Contrast, Floats, t_quantile
from transferstats.confidence import ConfidenceSet, confidence_set

ARMS = (WEAK, CANDIDATE, VANILLA, CEILING)  # the order of every (4,) and (4, 4) here
ALPHA = 0.05  # one-sided
ROUNDING = 1e-12  # accuracies move in steps of 1 / (seeds × items): less than this is no difference
STEPS, ROUNDS = 257, 6  # each round narrows a bound 256 times: 256⁶ is past double precision


@dataclass(frozen=True, slots=True)
class Bounds:
    """One-sided confidence bounds of a ratio, each at its own level; None: nothing is excluded on that side."""

    lower: float | None
    upper: float | None


class Cell:
    """Arms of one (dataset, weak model, strong model), and tests of ψ_θ = (candidate − reference) − θ·(ceiling − weak).

    weak, candidate, vanilla, ceiling: correctness, (seeds, items) of 0/1 over the same items; seeds may differ.
    Two seeds at least; the weak teacher may be one fixed set of predictions, (1, items), without seed variance.
    groups: (items,) question of each item; None if each is its own.
    The reference is the weak teacher, which makes the ratio the PGR, or vanilla, which makes it the gain over it.
    Seeds count as independent between arms, items as shared. Raises: ValueError on shapes, values, too few seeds.
    Source: Fieller 1954 (a ratio without dividing); Satterthwaite 1946 (degrees of freedom); variance: `metrics.Arms`.
    """

    def __init__(
        self,
        *,
        weak: ArrayLike,
        candidate: ArrayLike,
        vanilla: ArrayLike,
        ceiling: ArrayLike,
        groups: ArrayLike | None = None,
    ) -> None:
        given = dict(zip(ARMS, (weak, candidate, vanilla, ceiling), strict=True))
        for name, rows in given.items():
            if not np.isin(np.asarray(rows), (0, 1)).all():
                raise ValueError(f"{name}: correctness must be 0 or 1")
        self.arms = _arms(given, groups)

    @classmethod
    def of_shares(cls, correct: Mapping[str, ArrayLike], groups: ArrayLike | None = None) -> "Cell":
        """A cell in which a row may stand for several runs: shares of right answers, in [0, 1]."""
        cell = cls.__new__(cls)
        cell.arms = _arms(correct, groups)
        return cell

    @cached_property
    def accuracies(self) -> Floats:
        """(4,) accuracy of each arm over its seeds and items."""
        return np.array([self.arms.means[name] for name in ARMS])

    @property
    def covariance(self) -> Floats:
        """(4, 4) covariance of the accuracies: items, paired over arms, and seeds on the diagonal."""
        return self.arms.covariance

    @property
    def seeds(self) -> dict[str, int]:
        """Seeds of each arm."""
        return self.arms.seeds

    @property
    def n_items(self) -> int:
        """Items that every arm answered."""
        return self.arms.n_items

    @cached_property
    def gap(self) -> Contrast:
        """Ceiling minus weak teacher."""
        return self.arms.contrast({CEILING: 1, WEAK: -1})

    @property
    def gap_over_se(self) -> float:
        """The gap in units of its standard error; ±inf for a gap without noise, 0 for none."""
        return _in_se(self.gap)

    def ratio(self, reference: str = WEAK) -> float | None:
        """(candidate − reference) / gap; None where the gap is not above 0."""
        return self.psi(0.0, reference).value / self.gap.value if self.gap.value > 0 else None

    def ratio_se(self, reference: str = WEAK) -> float | None:
        """Standard error of the ratio by the delta method, for weights; None where there is no ratio."""
        ratio = self.ratio(reference)
        return None if ratio is None else self.psi(ratio, reference).se / self.gap.value

    def psi(self, theta: float, reference: str = WEAK) -> Contrast:
        """The contrast that is 0 where the ratio is θ, with its own degrees of freedom."""
        value, variance, df = (float(part[0]) for part in self._contrasts(np.array([[1.0, -theta]]), reference))
        return Contrast(value, variance, df)

    def p_above(self, theta: float, reference: str = WEAK) -> float:
        """p-value of "the ratio is at most θ": small where it is above. One-sided t, given a positive gap."""
        return _p_positive(self.psi(theta, reference))

    def p_below(self, theta: float, reference: str = WEAK) -> float:
        """p-value of "the ratio is at least θ": small where it is below. One-sided t, given a positive gap."""
        psi = self.psi(theta, reference)
        return _p_positive(Contrast(-psi.value, psi.variance, psi.df))

    def interval(self, level: float = 0.95, reference: str = WEAK) -> ConfidenceSet:
        """Fieller's two-sided set of the ratio, at the numerator's degrees of freedom; unbounded where it is."""
        above = self.psi(0.0, reference)
        numerator, denominator = _LINES[reference]
        v12 = float(numerator @ self.covariance @ denominator)
        return confidence_set(above, self.gap, v12, t_quantile(above.df, level))

    def bounds(self, alpha: float = ALPHA, reference: str = WEAK) -> Bounds:
        """One-sided bounds of the ratio: below `lower` every θ has p_above < alpha, above `upper` p_below < alpha.

        Each θ has its own degrees of freedom, so the ends are searched, on the angle of the contrast, from the ratio
        outwards. Neither end exists where the gap itself is not above 0 at that level. In 12,000 measurable cells
        of two to four seeds bounds and p-values never disagreed; with two seeds and a smaller gap they can.
        """
        if self.gap.value <= 0 or _p_positive(self.gap) >= alpha:
            return Bounds(None, None)
        return Bounds(self._end(-1, alpha, reference), self._end(1, alpha, reference))

    def _end(self, side: int, alpha: float, reference: str) -> float:
        """The θ nearest to the ratio, below it (side −1) or above it (1), from which on θ is rejected."""
        kept = float(np.arctan2(self.psi(0.0, reference).value, self.gap.value))
        out = side * np.pi / 2  # θ = ±∞: the gap alone, which is rejected
        for _ in range(ROUNDS):
            angles = np.linspace(kept, out, STEPS)
            values, variances, dfs = self._contrasts(np.stack([np.cos(angles), -np.sin(angles)], axis=1), reference)
            excess = -side * values - stdtrit(dfs, 1 - alpha) * np.sqrt(variances)
            excess[0] = -1.0  # never rejected, though rounding may leave ψ a little off 0
            first = int(np.argmax(excess > 0)) or STEPS - 1
            kept, out = angles[first - 1], angles[first]
        return float(np.tan(kept))

    def _contrasts(self, factors: Floats, reference: str) -> tuple[Floats, Floats, Floats]:
        """Contrasts of (k, 2) factors of numerator and denominator."""
        return self.arms.contrasts(factors @ _LINES[reference])


def _line(reference: str) -> Floats:
    """(2, 4) weights of the numerator (candidate − reference) and of the gap."""
    rows = [{CANDIDATE: 1, reference: -1}, {CEILING: 1, WEAK: -1}]
    return np.array([[row.get(name, 0.0) for name in ARMS] for row in rows])


_LINES = {reference: _line(reference) for reference in (WEAK, VANILLA)}


def _arms(correct: Mapping[str, ArrayLike], groups: ArrayLike | None) -> Arms:
    for name, rows in correct.items():
        found = np.asarray(rows, dtype=np.float64)
        if found.ndim != 2:
            raise ValueError(f"{name}: correctness must be (seeds, items), not {found.shape}")
        if len(found) < 2 and (name != WEAK or not len(found)):
            raise ValueError(f"{name}: {len(found)} seeds, two are needed to tell how seeds differ")
        if found.shape[1] < 2:
            raise ValueError(f"{name}: {found.shape[1]} items, two are needed to tell how items differ")
        if not ((found >= 0) & (found <= 1)).all():  # also where one is NaN
            raise ValueError(f"{name}: correctness must be in [0, 1]")
    return Arms({name: correct[name] for name in ARMS}, groups)


def _in_se(contrast: Contrast) -> float:
    value = contrast.value if abs(contrast.value) > ROUNDING else 0.0
    if contrast.variance == 0:
        return float(np.sign(value) * np.inf) if value else 0.0
    return value / contrast.se


def _p_positive(contrast: Contrast) -> float:
    """p-value of "the contrast is at most 0"; without any noise it is 0, or 1."""
    distance = _in_se(contrast)
    return 1.0 if contrast.variance == 0 and distance == 0 else float(stdtr(contrast.df, -distance))
