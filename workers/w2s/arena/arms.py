"""Trains what methods are measured against: weak teachers, the ceiling, the vanilla student, the control."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from workers.w2s.arena.inputs import Arena
from workers.w2s.arena.masks import train_masks
from workers.w2s.arena.running import predicted, run_method
from workers.w2s.problem import Floats
from workers.w2s.spec import BenchmarkSpec, Progress, Report, Split, silent
from workers.w2s.students import make_student

Arm = Literal["ceiling", "vanilla", "control"]


@dataclass(frozen=True, eq=False)
class Teachers:
    """T weak teachers.

    probs: split -> (T, M) float32 P(label 1), on student_train, dev and holdout.
    digests: SHA-256 of each teacher's probabilities on student_train, as little-endian float32.
    """

    seeds: tuple[int, ...]
    probs: Mapping[Split, Floats]
    digests: tuple[str, ...]


def train_teachers(arena: Arena, labels: ArrayLike, seeds: Sequence[int], report: Report = silent) -> Teachers:
    """Weak models trained on ground truth of teacher_train, each on its own draw of groups.

    labels: (N,) in {0, 1} of teacher_train. Teachers learn as the benchmark's students do, but from the weak model.
    """
    truth = _labels(labels, len(arena.items[Split.TEACHER_TRAIN]))
    inputs = arena.weak_inputs(Split.TEACHER_TRAIN)
    report(Progress("training weak teachers", 0, len(seeds)))
    student = make_student(as_teacher(arena.spec), inputs, cache_dir=arena.cache_dir, seeds=seeds, report=report)
    predictor = student.fit(np.tile(truth, (len(seeds), 1)), train_masks(inputs.groups, seeds))
    splits = (Split.STUDENT_TRAIN, Split.DEV, Split.HOLDOUT)
    probs = {split: predicted(predictor, arena.weak_inputs(split), len(seeds)) for split in splits}
    report(Progress("training weak teachers", len(seeds), len(seeds)))
    digests = tuple(hashlib.sha256(row.astype("<f4").tobytes()).hexdigest() for row in probs[Split.STUDENT_TRAIN])
    return Teachers(tuple(seeds), probs, digests)


def train_arm(  # noqa: PLR0917
    arena: Arena,
    labels: ArrayLike | None,
    seeds: Sequence[int],
    arm: Arm,
    teachers: Teachers | None = None,
    report: Report = silent,
) -> dict[Split, Floats]:
    """Predictions of a reference arm: split -> (S, M), on dev and holdout.

    ceiling: the strong student on ground truth; labels: (N,) of student_train.
    vanilla: the strong student on hard weak labels. control: the weak model as the student, on hard weak labels; it has
    nothing to add to its teacher, so its PGR must be about 0. Both need `teachers`; run j learns from teacher j mod T.
    Raises: ValueError where labels or teachers are missing.
    """
    if arm == "ceiling":
        if labels is None:
            raise ValueError("the ceiling needs the labels of student_train")
        truth = _labels(labels, len(arena.items[Split.STUDENT_TRAIN]))
        return _train(arena, np.tile(truth, (len(seeds), 1)), seeds, report, weak=False)
    if teachers is None:
        raise ValueError(f"the {arm} arm needs teachers")
    weak_probs = teachers.probs[Split.STUDENT_TRAIN]
    teacher_of = [j % len(weak_probs) for j in range(len(seeds))]
    if arm == "control":
        return _train(arena, (weak_probs[teacher_of] > 0.5).astype(np.float32), seeds, report, weak=True)
    result = run_method(
        arena,
        "vanilla",
        {},
        seeds,
        weak_probs=weak_probs,
        teacher_of=teacher_of,
        cache_dir=arena.cache_dir,
        report=report,
    )
    return dict(result.predictions)


def as_teacher(spec: BenchmarkSpec) -> BenchmarkSpec:
    """The benchmark with the weak model in the strong one's place."""
    return replace(spec, strong=spec.weak, slug=f"{spec.slug}-weak")


def _train(arena: Arena, targets: Floats, seeds: Sequence[int], report: Report, *, weak: bool) -> dict[Split, Floats]:
    view, spec = (arena.weak_inputs, as_teacher(arena.spec)) if weak else (arena.inputs, arena.spec)
    inputs = view(Split.STUDENT_TRAIN)
    student = make_student(spec, inputs, cache_dir=arena.cache_dir, seeds=seeds, report=report)
    predictor = student.fit(targets, train_masks(inputs.groups, seeds))
    return {split: predicted(predictor, view(split), len(seeds)) for split in (Split.DEV, Split.HOLDOUT)}


def _labels(labels: ArrayLike, n: int) -> Floats:
    truth = np.asarray(labels, dtype=np.float32)
    if truth.shape != (n,) or not np.isin(truth, (0, 1)).all():
        raise ValueError(f"expected {n} labels in {{0, 1}}, not {truth.shape}")
    return truth
