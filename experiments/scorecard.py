"""From correctness to the numbers a row keeps: accuracies, PGR with its interval, the difference to vanilla."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics import Arms, Estimate, paired_difference, pgr, pgr_interval

Correct = NDArray[np.bool_]  # (seeds, items): true where that run was right


@dataclass(frozen=True, eq=False)
class FrozenArms:
    """What a candidate is compared with on one split.

    weak, ceiling, vanilla: (seeds, items) correctness. groups: (items,) question of each item.
    """

    weak: Correct
    ceiling: Correct
    vanilla: Correct
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RunScore:
    """One run: its accuracy and PGR against the frozen means (None without a gap)."""

    accuracy: float
    pgr: float | None


@dataclass(frozen=True, slots=True)
class SplitScore:
    """One experiment on one split: mean accuracy, PGR, and what `dev_score` or `holdout_score` stores."""

    accuracy: float
    pgr: float | None
    stored: dict[str, Any]


def score_runs(correct: Correct, arms: FrozenArms) -> list[RunScore]:
    """Each run by itself; correct: (runs, items)."""
    weak, ceiling = float(arms.weak.mean()), float(arms.ceiling.mean())
    accuracies = [float(each) for each in correct.mean(axis=1)]
    return [RunScore(each, pgr(each, weak, ceiling)) for each in accuracies]


def score_split(correct: Correct, indices: Sequence[int], arms: FrozenArms, *, failed: int) -> SplitScore:
    """All finished runs together.

    correct: (runs, items), indices: their seed indices: run j and vanilla run j share a teacher.
    failed: runs that ended without predictions. They are never replaced, and the mean is over the others; the
    stored "sensitivity" is the PGR if each of them had recovered nothing.
    """
    estimate = pgr_interval(correct, arms.weak, arms.ceiling, arms.groups)
    stored = _stored(estimate) | {"failed": failed}
    if failed and estimate.value is not None:
        stored["sensitivity"] = estimate.value * len(correct) / (len(correct) + failed)
    paired = [(row, index) for row, index in enumerate(indices) if index < len(arms.vanilla)]
    if paired:
        rows, partners = map(list, zip(*paired, strict=True))
        difference = paired_difference(correct[rows], arms.vanilla[partners], arms.weak, arms.ceiling, arms.groups)
        stored["vanilla"] = {"value": difference.value, **_stored(difference)}
    return SplitScore(float(correct.mean()), estimate.value, stored)


@dataclass(frozen=True, slots=True)
class ArmScore:
    """One frozen arm: accuracy per seed, mean, and its standard errors."""

    accuracies: list[float]
    mean: float
    se: float
    se_seeds: float
    n_items: int


def score_arm(correct: Correct, groups: NDArray[np.int64]) -> ArmScore:
    """A baseline arm by itself; se counts seeds and questions, se_seeds seeds alone (0 with one seed)."""
    accuracies = correct.mean(axis=1)
    whole = Arms({"arm": correct}, groups).contrast({"arm": 1.0})
    spread = float(accuracies.std(ddof=1)) / len(accuracies) ** 0.5 if len(accuracies) > 1 else 0.0
    return ArmScore([float(each) for each in accuracies], whole.value, whole.se, spread, correct.shape[1])


def _stored(estimate: Estimate) -> dict[str, Any]:
    """Everything but the value, which has a column of its own."""
    return {name: value for name, value in asdict(estimate).items() if name != "value"}
