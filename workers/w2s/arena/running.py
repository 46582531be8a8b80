"""Runs a method on an open benchmark: all its seeds in one fit, test inputs shown only afterwards."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workers.w2s.arena.inputs import Arena
from workers.w2s.arena.masks import train_masks
from workers.w2s.arena.provenance import method_digest, versions
from workers.w2s.elicitation import make_elicit
from workers.w2s.heads import NotConverged
from workers.w2s.methods import METHODS, TEACHER_ENSEMBLE, TEST_INPUTS, WEAK_LABELS, check_offers, parse_options
from workers.w2s.problem import Context, Curve, Floats, Inputs, Predictor
from workers.w2s.spec import Progress, Report, Split, silent
from workers.w2s.students import make_student

TESTED = (Split.DEV, Split.HOLDOUT)


class MethodFailed(RuntimeError):
    """A method that ran and gave nothing that can be scored; the message says what was wrong with it."""


@dataclass(frozen=True, eq=False)
class MethodResult:
    """What a method leaves behind.

    predictions: split -> (S, M) float32 P(label 1), on dev and holdout.
    curves, lines: what its student told about all its seeds.
    seconds: from the first weak label to the last prediction. versions: libraries, and "method": `method_digest`.
    """

    predictions: Mapping[Split, Floats]
    curves: tuple[Curve, ...]
    lines: tuple[str, ...]
    seconds: float
    versions: dict[str, str]


def run_method(
    arena: Arena,
    method: str,
    options: Mapping[str, Any],
    seeds: Sequence[int],
    *,
    weak_probs: ArrayLike,
    teacher_of: Sequence[int],
    cache_dir: Path,
    report: Report = silent,
) -> MethodResult:
    """Fit a registered method for all seeds at once, then show it dev and holdout.

    weak_probs: (T, N) of the teachers on student_train. teacher_of: (S,) which of them each run learns from.
    Raises: registry.UnknownName, methods.OptionError, methods.NotOffered, MethodFailed; ValueError on shapes.
    """
    chosen = METHODS.get(method)
    parsed = parse_options(chosen, options)
    check_offers(chosen, parsed, arena.spec.offers)
    started = time.perf_counter()
    context = _context(
        arena,
        chosen().needs(parsed),
        seeds,
        weak_probs=weak_probs,
        teacher_of=teacher_of,
        cache_dir=cache_dir,
        report=report,
    )
    report(Progress(f"training {method}", 0, len(seeds)))
    try:
        predictor = chosen().fit(context, parsed)
    except NotConverged as error:
        raise MethodFailed(f"{method}: {error}") from error
    predictions = {split: predicted(predictor, arena.inputs(split), len(seeds)) for split in TESTED}
    report(Progress(f"training {method}", len(seeds), len(seeds)))
    diary = context.student.diary
    return MethodResult(
        predictions,
        tuple(diary.curves),
        tuple(diary.lines),
        time.perf_counter() - started,
        {**versions(), "method": method_digest(method, options)},
    )


def predicted(predictor: Predictor, inputs: Inputs, seeds: int) -> Floats:
    """(S, M) predictions, checked. Raises: MethodFailed naming what is wrong with them."""
    probs = np.asarray(predictor(inputs))
    if probs.shape != (seeds, len(inputs)):
        raise MethodFailed(f"predictions of shape {probs.shape}, expected {seeds} seeds by {len(inputs)} items")
    probs = probs.astype(np.float32)
    if np.isnan(probs).any():
        raise MethodFailed(f"{int(np.isnan(probs).sum())} of {probs.size} predictions are NaN")
    if probs.min() < 0 or probs.max() > 1:
        raise MethodFailed(f"predictions from {probs.min():.3g} to {probs.max():.3g}; probabilities lie in [0, 1]")
    return probs


def _context(
    arena: Arena,
    needs: frozenset[str],
    seeds: Sequence[int],
    *,
    weak_probs: ArrayLike,
    teacher_of: Sequence[int],
    cache_dir: Path,
    report: Report,
) -> Context:
    """Training inputs and weak labels, and nothing that the method did not declare."""
    inputs = arena.inputs(Split.STUDENT_TRAIN)
    labels = np.asarray(weak_probs, dtype=np.float32)
    if labels.ndim != 2 or labels.shape[1] != len(inputs) or not ((labels >= 0) & (labels <= 1)).all():
        raise ValueError(f"weak labels must be (teachers, {len(inputs)}) in [0, 1], not {labels.shape}")
    if len(teacher_of) != len(seeds) or not seeds:
        raise ValueError(f"{len(teacher_of)} teachers were named for {len(seeds)} seeds")
    shown = labels[list(teacher_of)] if WEAK_LABELS in needs else np.full((len(seeds), len(inputs)), 0.5, np.float32)
    return Context(
        items=inputs.items,
        features=inputs.features,
        depths=inputs.depths,
        prior_log_odds=inputs.prior_log_odds,
        groups=inputs.groups,
        seeds=tuple(seeds),
        weak_probs=shown,
        weights=train_masks(inputs.groups, seeds),
        student=make_student(arena.spec, inputs, cache_dir=cache_dir, seeds=seeds, report=report),
        report=report,
        teacher_probs=labels if TEACHER_ENSEMBLE in needs else None,
        elicit=make_elicit(arena.spec, cache_dir, report),
        test_inputs=tuple(arena.inputs(split) for split in TESTED) if TEST_INPUTS in needs else (),
    )
