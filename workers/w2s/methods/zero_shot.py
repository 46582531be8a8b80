"""Asks the strong model without any teacher: its own zero-shot answers are the labels, or the prediction itself."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from workers.w2s.methods import LIKELIHOOD, METHODS, Method, StudentOptions
from workers.w2s.problem import Context, Floats, Inputs, Predictor


class ZeroShotOptions(StudentOptions):
    """Options of zero-shot elicitation."""

    answer: Literal["student", "likelihood"] = Field(
        "student", description="Train a student on the zero-shot labels, or predict with the likelihood directly."
    )
    balance: bool = Field(
        True, description="For claims: shift the log-odds so that half of the training items count as right."
    )


@METHODS.register("zero-shot")
class ZeroShot(Method):
    """Labels y = 1[log-odds > 0] of the strong model itself; no weak label is looked at."""

    name: ClassVar[str] = "zero-shot"
    title: ClassVar[str] = "Zero-shot elicitation"
    summary: ClassVar[str] = "Train on what the strong model itself believes, without the teacher."
    source: ClassVar[str] = (
        "Wen et al. 2025, Unsupervised Elicitation, arXiv:2506.10139, zero-shot baseline. Departs: pairs are compared "
        "by likelihood, not by asking True or False; answers are balanced by a threshold, not by flipping."
    )
    uses: ClassVar[frozenset[str]] = frozenset({LIKELIHOOD})
    Options: ClassVar[type[ZeroShotOptions]] = ZeroShotOptions

    def fit(self, context: Context, options: ZeroShotOptions) -> Predictor:
        """Zero-shot labels into the student, or the zero-shot belief as the predictor."""
        shift = np.zeros((len(context.seeds), 1), dtype=np.float32)
        if options.balance and context.kind == "claim":
            shift = middle(np.broadcast_to(prior_of(context), context.weights.shape), context.weights)
        if options.answer == "likelihood":
            return lambda inputs: _sigmoid(prior_of(inputs)[None, :] - shift)
        labels = (prior_of(context)[None, :] > shift).astype(np.float32)
        return context.student.fit(labels, context.weights, l2=options.l2)


def prior_of(inputs: Inputs) -> Floats:
    """(M,) zero-shot log-odds. Raises: ValueError where the benchmark keeps them back."""
    if inputs.prior_log_odds is None:
        raise ValueError("this method needs zero-shot log-odds; the inputs have none")
    return inputs.prior_log_odds


def middle(log_odds: Floats, weights: Floats) -> Floats:
    """(S, 1) median of each seed's (S, N) log-odds over the items it may learn from."""
    return np.array(
        [[np.median(row[weight > 0])] for row, weight in zip(log_odds, weights, strict=True)], dtype=np.float32
    )


def _sigmoid(log_odds: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * log_odds.astype(np.float64))), dtype=np.float32)
