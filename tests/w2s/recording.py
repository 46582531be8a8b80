"""A student that writes down what a method asks of it, and contexts small enough to reckon by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from workers.w2s.heads import ProbeStudent
from workers.w2s.methods import METHODS, parse_options
from workers.w2s.objectives import CROSS_ENTROPY, Objective
from workers.w2s.problem import Context, Diary, Elicit, Floats, Inputs, Penalty, Predictor
from workers.w2s.spec import Item, Split, silent


@dataclass
class RecordingStudent:
    """fits: (targets, weights, objective, l2) of each call. asked: targets of each cross_fit.

    beliefs: what cross_fit answers, from its targets.
    """

    beliefs: Callable[[Floats], Floats] = lambda targets: targets
    diary: Diary = field(default_factory=Diary)
    fits: list[tuple[Floats, Floats, Objective, Penalty]] = field(default_factory=list)
    asked: list[Floats] = field(default_factory=list)

    def fit(
        self, targets: Floats, weights: Floats, *, objective: Objective = CROSS_ENTROPY, l2: Penalty = "cv"
    ) -> Predictor:
        self.fits.append((targets, weights, objective, l2))
        return lambda inputs: np.full((len(targets), len(inputs)), 0.5, dtype=np.float32)

    def cross_fit(self, targets: Floats, weights: Floats, *, l2: Penalty = "cv", folds: int = 5) -> Floats:
        self.asked.append(targets)
        return self.beliefs(targets)


def rows(values: Sequence[Sequence[float]] | Floats) -> Floats:
    return np.asarray(values, dtype=np.float32)


def make_inputs(
    features: Sequence[Sequence[float]] | Floats,
    *,
    kind: str = "pair",
    prior: Sequence[float] | None = None,
    groups: Sequence[int] | None = None,
) -> Inputs:
    matrix = rows(features)
    many = len(matrix)
    responses = ("yes", "no") if kind == "pair" else ("yes",)
    return Inputs(
        items=tuple(Item(Split.STUDENT_TRAIN, f"question {i}", responses, f"group {i}") for i in range(many)),
        features=matrix,
        depths={1: matrix},
        prior_log_odds=None if prior is None else rows(prior),
        groups=np.arange(many) if groups is None else np.asarray(groups),
    )


def make_context(
    weak: Sequence[Sequence[float]] | Floats,
    *,
    features: Sequence[Sequence[float]] | Floats | None = None,
    weights: Sequence[Sequence[float]] | Floats | None = None,
    kind: str = "pair",
    prior: Sequence[float] | None = None,
    groups: Sequence[int] | None = None,
    teachers: Sequence[Sequence[float]] | None = None,
    elicit: Elicit | None = None,
    student: RecordingStudent | ProbeStudent | None = None,
) -> Context:
    """weak: (S, N). Without features, items are orthogonal to each other; without weights, each seed sees all."""
    probs = rows(weak)
    inputs = make_inputs(
        np.eye(probs.shape[1]) if features is None else features, kind=kind, prior=prior, groups=groups
    )
    return Context(
        items=inputs.items,
        features=inputs.features,
        depths=inputs.depths,
        prior_log_odds=inputs.prior_log_odds,
        groups=inputs.groups,
        seeds=tuple(range(10, 10 + len(probs))),
        weak_probs=probs,
        weights=np.ones_like(probs) if weights is None else rows(weights),
        student=RecordingStudent() if student is None else student,
        report=silent,
        teacher_probs=None if teachers is None else rows(teachers),
        elicit=elicit,
    )


def fitted(name: str, context: Context, **options: object) -> tuple[Floats, Floats, Objective, Penalty]:
    """Run a method on a context with a recording student; what the student was finally trained on."""
    method = METHODS.get(name)
    method().fit(context, parse_options(method, options))
    assert isinstance(context.student, RecordingStudent)
    return context.student.fits[-1]
