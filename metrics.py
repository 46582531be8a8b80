"""Accuracy and Performance Gap Recovered, with intervals that count seeds and items.

Everything works on *correctness* arrays, one per arm: (seeds, items), true where the run was right; arms
share the items, each brings its own seeds. Sources: Fieller 1954 (ratio), Satterthwaite 1946 (degrees of
freedom), Cameron and Miller 2015 (several items of one question). numpy and scipy.special: the web imports it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtrit

Floats = NDArray[np.float64]

WEAK, CANDIDATE, CEILING, VANILLA = "weak", "candidate", "ceiling", "vanilla"
MEASURABLE_GAP_OVER_SE = 4.0  # below it intervals are wide or unbounded: the ratio says nothing
NO_GAP = "the ceiling is not above the weak teacher, so there is no gap to recover"
BLOCK = 2**20  # questions drawn at a time by the bootstrap: some 25 MB
UNBOUNDED = "the gap is within its own noise, so no bounded interval exists"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its standard error and interval; what cannot be said is None, and `reason` says why.

    low, high: ends of the two-sided `level` interval; None where that side is unbounded.
    n_items: test items shared by all arms. n_seeds: runs of the candidate.
    With one seed the noise between seeds is unknown and left out: the interval then speaks of that run.
    """

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    bounded: bool
    n_items: int
    n_seeds: int
    level: float = 0.95
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Contrast:
    """A weighted sum of arm accuracies, its variance and its Satterthwaite degrees of freedom."""

    value: float
    variance: float
    df: float

    @property
    def se(self) -> float:
        """Standard error: the root of the variance."""
        return math.sqrt(self.variance)

    def bounds(self, level: float = 0.95) -> tuple[float, float]:
        """The two-sided t interval."""
        reach = t_quantile(self.df, level) * self.se
        return self.value - reach, self.value + reach


def accuracy(predictions: ArrayLike, labels: ArrayLike) -> Floats:
    """Share of right predictions along the last axis; probabilities count as 1 from .5 on.

    predictions: (..., n) in [0, 1]. labels: (n,) in {0, 1}. Returns: (...). Raises: ValueError if n is 0.
    """
    right = correctness(predictions, labels)
    if right.shape[-1] == 0:
        raise ValueError("accuracy of no items")
    return np.asarray(right.mean(axis=-1), dtype=np.float64)


def correctness(predictions: ArrayLike, labels: ArrayLike) -> NDArray[np.bool_]:
    """Where (..., n) probabilities, cut at .5, agree with (n,) labels. Raises: ValueError on shapes or NaN."""
    probs, truth = np.asarray(predictions, dtype=np.float64), np.asarray(labels)
    if probs.shape[-1:] != truth.shape:
        raise ValueError(f"predictions for {probs.shape[-1:]} items, labels for {truth.shape}")
    if np.isnan(probs).any():
        raise ValueError("predictions contain NaN")
    return np.asarray((probs >= 0.5) == (truth == 1))


def pgr(transfer: float, weak: float, ceiling: float) -> float | None:
    """(transfer - weak) / (ceiling - weak), or None where the ceiling is not above the weak teacher.

    Source: Burns et al. 2023, arXiv:2312.09390, section 3.
    """
    gap = ceiling - weak
    return (transfer - weak) / gap if gap > 0 else None


class Arms:
    """Several arms answered the same items over their own seeds: means, covariance, contrasts, ratios.

    correct: arm name -> (seeds, items) of 0/1. groups: (items,) question of each item, None if each is its own.
    Variance of a contrast u of arm accuracies is u V u with V = V_item + diag(seed variance / seeds):
    V_item is the covariance over question groups of the seed means (it already holds item-by-seed noise);
    the seed part is what the runs differ by beyond that noise, never below zero.
    Seeds are taken as independent between arms; shared teachers make the true variance smaller.
    """

    def __init__(self, correct: Mapping[str, ArrayLike], groups: ArrayLike | None = None) -> None:
        self.names = tuple(correct)
        self._correct = [np.atleast_2d(np.asarray(rows, dtype=np.float64)) for rows in correct.values()]
        sizes = {rows.shape[1] for rows in self._correct}
        if len(sizes) != 1 or any(rows.ndim != 2 for rows in self._correct):
            raise ValueError(f"arms must be (seeds, items) over the same items, not {sizes} items")
        self.n_items: int = sizes.pop()
        if any(rows.shape[0] == 0 for rows in self._correct) or self.n_items < 2:
            raise ValueError("every arm needs at least one seed and two items")
        codes = np.arange(self.n_items) if groups is None else np.asarray(groups)
        if codes.shape != (self.n_items,):
            raise ValueError(f"{codes.shape} groups for {self.n_items} items")
        self._codes: NDArray[np.intp] = np.unique(codes, return_inverse=True)[1]
        self.n_groups = int(self._codes.max()) + 1
        if self.n_groups < 2:
            raise ValueError("all items belong to one question: no variance between questions")
        self.seeds = {name: len(rows) for name, rows in zip(self.names, self._correct, strict=True)}

    @cached_property
    def means(self) -> dict[str, float]:
        """Accuracy of each arm over all its seeds."""
        return {name: float(rows.mean()) for name, rows in zip(self.names, self._correct, strict=True)}

    @cached_property
    def item_covariance(self) -> Floats:
        """(arms, arms) covariance of the accuracies due to the choice of questions, paired over arms."""
        means = np.stack([rows.mean(axis=0) for rows in self._correct])  # (arms, items)
        sums = self._group_sums(means - means.mean(axis=1, keepdims=True))
        correction = self.n_groups / (self.n_groups - 1)  # singletons: exactly the sample covariance / n
        return np.asarray(correction * (sums @ sums.T) / self.n_items**2)

    @cached_property
    def seed_variances(self) -> dict[str, float]:
        """Variance between runs of an arm beyond item-by-run noise; 0 where one seed cannot tell."""
        return {
            name: max(0.0, float(rows.mean(axis=1).var(ddof=1)) - self.run_noise[name]) if len(rows) > 1 else 0.0
            for name, rows in zip(self.names, self._correct, strict=True)
        }

    @cached_property
    def run_noise(self) -> dict[str, float]:
        """Variance of one run's accuracy because runs differ on single questions; 0 where one seed cannot tell."""
        return {name: self._run_noise(rows) for name, rows in zip(self.names, self._correct, strict=True)}

    @cached_property
    def covariance(self) -> Floats:
        """(arms, arms) covariance of the accuracies: questions and seeds."""
        seeds = np.array([self.seed_variances[name] / self.seeds[name] for name in self.names])
        return np.asarray(self.item_covariance + np.diag(seeds))

    def contrast(self, weights: Mapping[str, float]) -> Contrast:
        """Σ weight · accuracy. Raises: KeyError for an arm that is not there."""
        value, variance, df = (float(part[0]) for part in self.contrasts(self._vector(weights)[None]))
        return Contrast(value, variance, df)

    def contrasts(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Values, variances and Satterthwaite's degrees of freedom, (k,) each, of (k, arms) weights."""
        values = weights @ np.array([self.means[name] for name in self.names])
        variances = np.maximum(np.einsum("ka,ab,kb->k", weights, self.covariance, weights), 0.0)
        return values, variances, self._satterthwaite(weights, variances)

    def ratio(self, numerator: Mapping[str, float], denominator: Mapping[str, float], level: float = 0.95) -> Estimate:
        """Numerator contrast over denominator contrast with Fieller's interval; a gap ≤ 0 has no value.

        Source: Fieller 1954. Degrees of freedom are those of the numerator.
        """
        above, below = self.contrast(numerator), self.contrast(denominator)
        n_seeds = self.seeds[max(numerator, key=lambda name: numerator[name])]
        estimate = partial(Estimate, n_items=self.n_items, n_seeds=n_seeds, level=level)
        if below.value <= 0:
            return estimate(None, None, None, None, False, reason=NO_GAP)
        v12 = float(self._vector(numerator) @ self.covariance @ self._vector(denominator))
        ratio = above.value / below.value
        spread = max(above.variance - 2 * ratio * v12 + ratio**2 * below.variance, 0.0)
        se = math.sqrt(spread) / below.value
        ends = fieller(above, below, v12, level)
        if ends is None:
            return estimate(ratio, se, None, None, False, reason=UNBOUNDED)
        return estimate(ratio, se, *ends, True)

    def bootstrap(
        self,
        numerator: Mapping[str, float],
        denominator: Mapping[str, float],
        *,
        level: float = 0.95,
        resamples: int = 2000,
        rng: np.random.Generator,
    ) -> tuple[float, float] | None:
        """Percentile interval of the ratio, questions and seeds resampled; None if the gap is often ≤ 0.

        A cross-check that is about a quarter wider than Fieller's interval, not the answer.
        """
        drawn: dict[str, list[Floats]] = {name: [] for name in self.names}
        for weights in self._question_weights(resamples, rng):
            items = weights @ np.bincount(self._codes)  # items drawn per resample
            for name, rows in zip(self.names, self._correct, strict=True):
                accuracies = (weights @ self._group_sums(rows).T) / items[:, None]  # (block, seeds)
                runs = rng.integers(len(rows), size=accuracies.shape)
                drawn[name].append(np.take_along_axis(accuracies, runs, axis=1).mean(axis=1))
        means = {name: np.concatenate(blocks) for name, blocks in drawn.items()}
        above = sum((weight * means[name] for name, weight in numerator.items()), np.zeros(resamples))
        below = sum((weight * means[name] for name, weight in denominator.items()), np.zeros(resamples))
        if (below <= 0).mean() > (1 - level) / 2:
            return None
        keep = below > 0
        low, high = np.quantile(above[keep] / below[keep], [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def _question_weights(self, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
        """How often each question is drawn, (block, groups), in blocks that bound memory."""
        block = max(1, BLOCK // self.n_groups)
        for start in range(0, resamples, block):
            rows = min(block, resamples - start)
            drawn = rng.integers(self.n_groups, size=(rows, self.n_groups)) + self.n_groups * np.arange(rows)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=rows * self.n_groups)
            yield counts.reshape(rows, self.n_groups).astype(np.float64)

    def _vector(self, weights: Mapping[str, float]) -> Floats:
        unknown = set(weights) - set(self.names)
        if unknown:
            raise KeyError(f"no arm {sorted(unknown)}; arms: {', '.join(self.names)}")
        return np.array([weights.get(name, 0.0) for name in self.names])

    def _run_noise(self, rows: Floats) -> float:
        seeds = len(rows)
        if seeds < 2:
            return 0.0
        run_effects = rows.mean(axis=1, keepdims=True) - rows.mean()
        noise = self._group_sums(rows - rows.mean(axis=0) - run_effects)  # (seeds, groups), item-by-run by question
        correction = self.n_groups / (self.n_groups - 1)
        return correction * float(np.sum(noise**2)) / ((seeds - 1) * self.n_items**2)

    def _satterthwaite(self, weights: Floats, variances: Floats) -> Floats:
        """(k,) degrees of freedom of (k, arms) weights; infinite where seeds add no variance."""
        seeds = np.array([self.seeds[name] for name in self.names])
        spread = np.array([self.seed_variances[name] for name in self.names]) / seeds  # (arms,), 0 for one seed
        parts = np.square(weights**2 * spread) / np.maximum(seeds - 1, 1)  # (k, arms)
        total = parts.sum(axis=1)  # 0 also when a tiny seed part underflows: it then plays no role
        fewest = np.where(parts > 0, seeds - 1.0, math.inf).min(axis=1)
        with np.errstate(over="ignore"):
            found = np.square(variances) / np.where(total > 0, total, 1.0)
        return np.where(total > 0, np.maximum(found, fewest), math.inf)

    def _group_sums(self, rows: Floats) -> Floats:
        """(k, items) -> (k, groups)."""
        if self.n_groups == self.n_items:
            return rows
        return np.stack([np.bincount(self._codes, row, minlength=self.n_groups) for row in rows])


def t_quantile(df: float, level: float) -> float:
    """How many standard errors a two-sided `level` interval reaches; the normal for infinite df."""
    upper = 0.5 + level / 2
    return float(ndtri(upper) if math.isinf(df) else stdtrit(df, upper))


def fieller(above: Contrast, below: Contrast, v12: float, level: float = 0.95) -> tuple[float, float] | None:
    """Ends of {θ : |above − θ·below| ≤ t·se}, or None where that set is not a bounded interval.

    v12: covariance of the two contrasts. Source: Fieller 1954.
    """
    t = t_quantile(above.df, level)
    g = t**2 * below.variance / below.value**2 if below.value else math.inf
    if g >= 1:
        return None
    ratio, v11, v22 = above.value / below.value, above.variance, below.variance
    shift = v12 / v22 if v22 > 0 else 0.0
    inside = v11 - 2 * ratio * v12 + ratio**2 * v22 - g * (v11 - v12 * shift)
    centre = (ratio - g * shift) / (1 - g)
    reach = t / abs(below.value) * math.sqrt(max(inside, 0.0)) / (1 - g)
    return centre - reach, centre + reach


def pgr_interval(
    candidate: ArrayLike, weak: ArrayLike, ceiling: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """PGR of a method with Fieller's interval over seeds and questions.

    candidate, weak, ceiling: correctness, (seeds, items) over the same items; seeds may differ.
    groups: (items,) question of each item; None if each is its own.
    """
    arms = Arms({WEAK: weak, CANDIDATE: candidate, CEILING: ceiling}, groups)
    return arms.ratio({CANDIDATE: 1, WEAK: -1}, {CEILING: 1, WEAK: -1}, level)


def paired_difference(
    candidate: ArrayLike,
    vanilla: ArrayLike,
    weak: ArrayLike,
    ceiling: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> Estimate:
    """How much more of the gap a method recovers than vanilla, run by run: same teacher, same items.

    candidate, vanilla, ...: correctness, (seeds, items). Runs pair by position, up to the shorter of the two,
    because run j learns from the same teacher in both.
    """
    ours, theirs = (np.atleast_2d(np.asarray(arm, dtype=np.float64)) for arm in (candidate, vanilla))
    runs = min(len(ours), len(theirs))
    gain = ours[:runs] - theirs[:runs]
    arms = Arms({CANDIDATE: gain, WEAK: weak, CEILING: ceiling}, groups)
    return arms.ratio({CANDIDATE: 1}, {CEILING: 1, WEAK: -1}, level)


def gap_over_se(weak: ArrayLike, ceiling: ArrayLike, groups: ArrayLike | None = None) -> float:
    """The gap in units of its standard error; infinite for a gap without noise, negative below zero."""
    gap = Arms({WEAK: weak, CEILING: ceiling}, groups).contrast({CEILING: 1, WEAK: -1})
    if gap.variance == 0:
        return math.copysign(math.inf, gap.value) if gap.value else 0.0
    return gap.value / gap.se


class FixedPgr(NamedTuple):
    """PGR against published mean accuracies: mean over seeds, its SE over seeds, and its SE in all."""

    mean: float
    se_seeds: float
    se_total: float


def pgr_from_fixed(
    transfer: Sequence[float], weak: tuple[float, float], ceiling: tuple[float, float], n_items: int
) -> FixedPgr:
    """PGR of published per-seed accuracies, for reference rows whose answers were not published.

    transfer: accuracy per seed. weak, ceiling: published (mean, standard error). n_items: test items.
    Delta method: seeds, test items as a binomial, and both baselines add up as if independent.
    Raises: ValueError for fewer than two seeds or a gap that is not positive.
    """
    gap = ceiling[0] - weak[0]
    if len(transfer) < 2 or gap <= 0:
        raise ValueError("a reference needs two seeds and a ceiling above the weak teacher")
    mean = float(np.mean(transfer))
    share = (mean - weak[0]) / gap
    se_seeds = float(np.std(transfer, ddof=1)) / math.sqrt(len(transfer)) / gap
    se_items = math.sqrt(mean * (1 - mean) / n_items) / gap
    se_baselines = math.hypot((1 - share) * weak[1], share * ceiling[1]) / gap
    return FixedPgr(share, se_seeds, math.hypot(se_seeds, se_items, se_baselines))


def wilson(hits: int, n: int, level: float = 0.95) -> tuple[float, float] | None:
    """The two-sided interval of a share of n independent cases; None for n = 0. Source: Wilson 1927, JASA 22:209."""
    if n == 0:
        return None
    share, z = hits / n, float(ndtri((1 + level) / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)


@cache
def expected_maximum(k: int) -> float:
    """E max of k independent standard normals: 1.54 for 10, 1.87 for 20, 2.25 for 50, 2.51 for 100."""
    if k <= 1:
        return 0.0
    grid = np.linspace(-9, 9, 20_001)
    cdf = ndtr(grid) ** k
    return float(np.trapezoid((grid >= 0) - cdf, grid))
