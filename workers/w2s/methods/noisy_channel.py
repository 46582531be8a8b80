"""Treats the teacher as a noisy channel: what is the true label, given what it said and what the item looks like?"""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from workers.w2s.methods import LIKELIHOOD, METHODS, WEAK_LABELS, Method, StudentOptions, hardened
from workers.w2s.methods.zero_shot import prior_of
from workers.w2s.problem import Context, Curve, Floats, Predictor

Doubles = NDArray[np.float64]

_SMOOTHING = 1.0  # items added to every cell of the channel: an empty one says nothing
_CLIP = 1e-4  # keeps the student's own probability off 0 and 1
_STEEPEST = 10.0  # of the prior's scale: a zero-shot prior that separates the labels would make it infinite
_HALVINGS = 30  # of [0, _STEEPEST]: the scale is then right to 1e-8


class NoisyChannelOptions(StudentOptions):
    """Options of the noisy channel."""

    prior: Literal["student", "likelihood"] = Field(
        "student",
        description="What is believed before the teacher is heard: students trained on the labels of other questions, "
        "or the strong model's zero-shot log-odds.",
        json_schema_extra={"needs": {"likelihood": [LIKELIHOOD]}},
    )
    levels: int = Field(5, ge=1, le=50, description="Levels of the teacher's confidence, each with its error rate.")
    rounds: int = Field(20, ge=1, le=200, description="Rounds of expectation maximisation.")


@METHODS.register("noisy-channel")
class NoisyChannel(Method):
    """q(y) ∝ p0(y | x)^a · p(weak label | y); the channel and the scale a are refitted on q, and q trains the student.

    The prior itself is not refitted: a student trained on q would hear the teacher's evidence again in every round.
    """

    name: ClassVar[str] = "noisy-channel"
    title: ClassVar[str] = "Noisy-channel posterior (EM)"
    summary: ClassVar[str] = "Estimate how the teacher errs by EM, and train on the posterior of the true label."
    source: ClassVar[str] = (
        "Dawid and Skene 1979 with a prior of the item, after Raykar et al. 2010, Learning from crowds. Departs: one "
        "teacher whose probability is cut into levels of confidence; of the prior only the scale is refitted; for "
        "pairs, whose order is arbitrary, the channel is the same in both directions."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[NoisyChannelOptions]] = NoisyChannelOptions

    def fit(self, context: Context, options: NoisyChannelOptions) -> Predictor:
        """Expectation maximisation from q = weak labels; then the posterior into the student."""
        cells = confidence_cells(context.weak_probs, context.weights, options.levels)
        prior = self._prior(context, options)
        posterior = context.weak_probs.astype(np.float64)
        changes = []
        for _ in range(options.rounds):
            scale = fitted_scale(prior, posterior, context.weights)
            evidence = channel_evidence(cells, posterior, context.weights, 2 * options.levels, context.kind == "pair")
            after = _sigmoid(scale[:, None] * prior + evidence)
            changes.append((context.weights * np.abs(after - posterior)).sum(1) / context.weights.sum(1))
            posterior = after
        rounds = tuple(float(turn + 1) for turn in range(options.rounds))
        moved = tuple(tuple(map(float, line)) for line in np.stack(changes, axis=1))
        context.student.diary.curves.append(Curve("mean change of the posterior", "round", rounds, moved))
        return context.student.fit(posterior.astype(np.float32), context.weights, l2=options.l2)

    def _prior(self, context: Context, options: NoisyChannelOptions) -> Doubles:
        """(S, N) log-odds of label 1 before the teacher is heard."""
        if options.prior == "likelihood":
            return np.broadcast_to(prior_of(context).astype(np.float64), context.weights.shape)
        probs = context.student.cross_fit(hardened(context.weak_probs), context.weights, l2=options.l2)
        kept = np.clip(probs.astype(np.float64), _CLIP, 1 - _CLIP)
        return np.asarray(np.log(kept) - np.log1p(-kept))


def confidence_cells(probs: Floats, weights: Floats, levels: int) -> NDArray[np.int64]:
    """(S, N) which of 2·levels cells each weak label falls into: 0 is surest of label 0, the last surest of label 1.

    Levels are quantiles of |p − .5| over the items that a seed may learn from. Cell c mirrors to 2·levels − 1 − c.
    """
    cells = np.empty(probs.shape, dtype=np.int64)
    for row, (prob, weight) in enumerate(zip(probs, weights, strict=True)):
        sure = np.abs(prob - 0.5)
        edges = np.quantile(sure[weight > 0], np.arange(1, levels) / levels)
        level = np.searchsorted(edges, sure, side="left")
        cells[row] = np.where(prob > 0.5, levels + level, levels - 1 - level)
    return cells


def channel_evidence(
    cells: NDArray[np.int64], posterior: Doubles, weights: Floats, many: int, mirrored: bool
) -> Doubles:
    """(S, N) log P(cell | label 1) − log P(cell | label 0), estimated from the posterior itself.

    mirrored: label 1 in a cell counts as label 0 in its mirror image too.
    """
    evidence = np.empty_like(posterior)
    for row, (cell, q, weight) in enumerate(zip(cells, posterior, weights, strict=True)):
        ones = np.bincount(cell, weight * q, minlength=many)
        zeros = np.bincount(cell, weight * (1 - q), minlength=many)
        if mirrored:
            ones, zeros = ones + zeros[::-1], zeros + ones[::-1]
        ratio = np.log(ones + _SMOOTHING) - np.log(zeros + _SMOOTHING)
        balance = np.log(ones.sum() + many * _SMOOTHING) - np.log(zeros.sum() + many * _SMOOTHING)
        evidence[row] = (ratio - balance)[cell]
    return evidence


def fitted_scale(log_odds: Doubles, posterior: Doubles, weights: Floats) -> Doubles:
    """(S,) scale in [0, 10] at which scale·log_odds predicts each seed's posterior best, by halving the interval.

    log_odds, posterior, weights: (S, N). The slope of the log loss grows with the scale.
    """
    low, high = np.zeros(len(posterior)), np.full(len(posterior), _STEEPEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        slope = (weights * (_sigmoid(middle[:, None] * log_odds) - posterior) * log_odds).sum(1)
        low, high = np.where(slope < 0, middle, low), np.where(slope < 0, high, middle)
    return np.asarray((low + high) / 2)


def _sigmoid(log_odds: Doubles) -> Doubles:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * log_odds)))
