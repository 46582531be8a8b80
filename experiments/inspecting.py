"""Numbers about predictions that need ground truth, for detectors; on the evaluation queue only."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import scoring
from experiments.models import Benchmark
from experiments.scorecard import FrozenArms
from metrics import Arms, pgr_interval

Bits = NDArray[Any]
ONE_SIDED = 0.98  # two-sided level whose lower end is the one-sided 99% end


@dataclass(frozen=True, slots=True)
class Numbers:
    """See oversight.facts.Numbers, which has the same fields."""

    vote_accuracy: float
    heuristics: dict[str, float]
    dev_se: float
    holdout_se: float
    reference_gap: float
    references: int
    pgr_low: float | None
    pool_accuracy: float | None = None
    pool_ceiling: float | None = None
    pool_se: float | None = None


@dataclass(frozen=True, eq=False)
class TrainedOn:
    """What code told of the labels it learned from, (fits, items) of student_train. groups: (items,) questions."""

    labels: Bits
    learnt: Bits
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Drop:
    """By how much the accuracy of some runs fell under changed conditions, over dev and holdout together.

    accuracy: before. drop: before minus after. se: paired over questions, plus the variance between seeds.
    prior: accuracy of the better of the majority class and the zero-shot answers (None: not offered).
    """

    accuracy: float
    drop: float
    se: float
    prior: float


def numbers_of(
    benchmark: Benchmark, dev: Bits, holdout: Bits, heuristics: Mapping[str, Bits], trained_on: TrainedOn | None = None
) -> Numbers:
    """dev, holdout: (runs, items) predictions. heuristics: name -> (items,) answers on dev.

    Raises: GroundTruthError; ValueError on shapes.
    """
    right = scoring.right_answers(benchmark, {"dev": dev, "holdout": holdout})
    arms = scoring.frozen_arms(benchmark)
    on_dev, on_holdout = (_against_students(right[split], arms[split]) for split in ("dev", "holdout"))
    vote = np.asarray(dev).mean(axis=0) >= 0.5
    bank = np.stack([vote, *heuristics.values()])
    accuracies = scoring.right_answers(benchmark, {"dev": bank})["dev"].mean(axis=1).tolist()
    frozen = arms["dev"]
    interval = pgr_interval(right["dev"], frozen.weak, frozen.ceiling, frozen.groups, level=ONE_SIDED)
    students = [(arms["dev"].vanilla, arms["holdout"].vanilla), (arms["dev"].ceiling, arms["holdout"].ceiling)]
    return Numbers(
        vote_accuracy=accuracies[0],
        heuristics=dict(zip(heuristics, accuracies[1:], strict=True)),
        dev_se=on_dev,
        holdout_se=on_holdout,
        reference_gap=float(np.mean([a.mean() - b.mean() for a, b in students])),
        references=len(students),
        pgr_low=interval.low,
        **(_pool(benchmark, trained_on, frozen) if trained_on is not None else {}),
    )


def _pool(benchmark: Benchmark, trained_on: TrainedOn, frozen: FrozenArms) -> dict[str, float]:
    """Of the best labels: their accuracy; the ceiling's on dev, of items that it has not seen; the error of both."""
    right = scoring.right_answers(benchmark, {"student_train": trained_on.labels})["student_train"]
    accuracies = [float(row[learnt].mean()) for row, learnt in zip(right, trained_on.learnt, strict=True)]
    best = int(np.argmax(accuracies))
    learnt = trained_on.learnt[best]
    own = Arms({"labels": right[best][None, learnt]}, trained_on.groups[learnt]).contrast({"labels": 1.0})
    ceiling = Arms({"ceiling": frozen.ceiling}, frozen.groups).contrast({"ceiling": 1.0})
    return {"pool_accuracy": own.value, "pool_ceiling": ceiling.value, "pool_se": math.hypot(own.se, ceiling.se)}


def agreements(benchmark: Benchmark, bits: Bits) -> NDArray[np.float64]:
    """(vectors, arms) share of dev items on which uploaded vectors agree with the vote of each frozen arm.

    bits: (vectors, items). Two answers to a yes-or-no question agree where both are right or both are wrong.
    """
    right = scoring.right_answers(benchmark, {"dev": bits})["dev"]
    arms = scoring.frozen_arms(benchmark)["dev"]
    votes = [arm.mean(axis=0) >= 0.5 for arm in (arms.weak, arms.vanilla, arms.ceiling)]
    return np.stack([(right == vote).mean(axis=1) for vote in votes], axis=1)


def drop_of(
    benchmark: Benchmark,
    before: Mapping[str, Bits],
    after: Mapping[str, Bits],
    prior: Mapping[str, Bits] | None = None,
) -> Drop:
    """before, after: split -> (runs, items), the same seeds in the same order. prior: split -> (items,) zero-shot."""
    splits = sorted(before)
    arms = scoring.frozen_arms(benchmark)
    offset, groups = 0, []
    for split in splits:  # questions of different splits are different ones
        codes = np.unique(arms[split].groups, return_inverse=True)[1]
        groups.append(codes + offset)
        offset += int(codes.max()) + 1
    together = {
        name: np.concatenate([rows[split] for split in splits], axis=1)
        for name, rows in (
            ("before", scoring.right_answers(benchmark, before)),
            ("after", scoring.right_answers(benchmark, after)),
        )
    }
    gain = together["before"].astype(float) - together["after"].astype(float)
    contrast = Arms({"gain": gain}, np.concatenate(groups)).contrast({"gain": 1.0})
    ones = {split: np.ones((1, before[split].shape[1])) for split in splits}
    share = float(np.concatenate([each[0] for each in scoring.right_answers(benchmark, ones).values()]).mean())
    priors = [share, 1 - share]
    if prior is not None:
        answered = scoring.right_answers(benchmark, {split: prior[split][None] for split in splits})
        priors.append(float(np.concatenate([answered[split][0] for split in splits]).mean()))
    return Drop(float(together["before"].mean()), contrast.value, contrast.se, max(priors))


def _against_students(right: NDArray[np.bool_], arms: FrozenArms) -> float:
    """Standard error of the accuracy minus the mean of vanilla's and the ceiling's, paired item by item."""
    named = {"own": right, "vanilla": arms.vanilla, "ceiling": arms.ceiling}
    return Arms(named, arms.groups).contrast({"own": 1, "vanilla": -0.5, "ceiling": -0.5}).se
