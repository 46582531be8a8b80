"""What a method sees: unlabelled inputs, weak labels, a student to train; and what it gives back, a predictor.

Nothing in here can hold ground truth. The same `Context`, with one seed, is what code written by agents gets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from workers.w2s.objectives import CROSS_ENTROPY, Objective
from workers.w2s.spec import Item, Report

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Penalty = float | Literal["cv"]
Demonstration = tuple[Item, int]  # an item and the label a method believes it has
Elicit = Callable[[Sequence[Item], Sequence[Demonstration]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """Unlabelled items with what the benchmark offers about them. M items, d features.

    features: (M, d) float32 of the strong model, scaled to unit RMS on the training texts.
    depths: layer of the strong model -> (M, d) float32, scaled alike, shallow to deep.
    prior_log_odds: (M,) zero-shot log-odds of label 1 in nats; None where the benchmark keeps them back.
    groups: (M,) int, equal for items of one question.
    """

    items: tuple[Item, ...]
    features: Floats
    depths: Mapping[int, Floats]
    prior_log_odds: Floats | None
    groups: Ints

    def __len__(self) -> int:
        return len(self.items)

    @property
    def kind(self) -> Literal["pair", "claim"]:
        """Whether an item asks which of two responses is better, or whether one is right."""
        return "pair" if len(self.items[0].responses) == 2 else "claim"


Predictor = Callable[[Inputs], Floats]
"""Inputs of M items -> (S, M) probabilities of label 1, one row per seed of the context it was fitted on."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Something measured along training, for a chart: one line per seed.

    x: (P,). y: one (P,) line per seed, NaN where nothing was measured. x_label: unit of x, such as "step" or "l2".
    """

    name: str
    x_label: str
    x: tuple[float, ...]
    y: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Diary:
    """What a student tells about its training, in the order it happened."""

    curves: list[Curve] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


class Student(Protocol):
    """The strong model as a learner; a probe or a fine-tuned network, all seeds at once."""

    @property
    def diary(self) -> Diary:
        """Curves and log lines of every fit so far."""
        ...

    def fit(
        self, targets: Floats, weights: Floats, *, objective: Objective = CROSS_ENTROPY, l2: Penalty = "cv"
    ) -> Predictor:
        """Train one student per seed.

        targets: (S, N) in [0, 1], what each seed is to learn. weights: (S, N) >= 0, 0 leaves an item out.
        l2: strength of the penalty, or "cv": chosen for each seed by cross-validation against its own
        targets, folds by question. Students without a penalty (fine-tuned ones) ignore it.
        Raises: ValueError where a seed has no item of positive weight.
        """
        ...

    def cross_fit(self, targets: Floats, weights: Floats, *, l2: Penalty = "cv", folds: int = 5) -> Floats:
        """(S, N) probabilities, each from a student that saw no item of the same question.

        Items of weight 0 train nothing but are predicted all the same.
        """
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Context(Inputs):
    """The training inputs (it is an `Inputs` itself) with the weak labels of S runs. N items.

    seeds: (S,) one number per run, the only source of randomness.
    weak_probs: (S, N) P(label 1) by the teacher of each run; all .5 for methods that declare no weak labels.
    weights: (S, N) 1 where the run may learn from the item, else 0: each run sees its own draw of questions.
    teacher_probs: (T, N) of all teachers, only for methods that declare "teacher_ensemble".
    student: trains strong students on whatever targets the method makes up.
    elicit: asks the strong model itself, optionally after demonstrations; only where likelihoods are offered.
    test_inputs: the unlabelled dev and holdout items, only for methods that declare "test_inputs".
    """

    seeds: tuple[int, ...]
    weak_probs: Floats
    weights: Floats
    student: Student
    report: Report
    teacher_probs: Floats | None = None
    elicit: Elicit | None = None
    test_inputs: tuple[Inputs, ...] = ()

    def generators(self) -> list[np.random.Generator]:
        """One fresh random generator per seed; calling it again starts them again."""
        return [np.random.default_rng(seed) for seed in self.seeds]
