"""Reverse KL: a mode-seeking student pays for contradicting the teacher only where it is itself unsure."""

from typing import ClassVar

from pydantic import Field

from workers.w2s.methods import METHODS, WEAK_LABELS, LabelOptions, Method
from workers.w2s.objectives import ReverseKL
from workers.w2s.problem import Context, Predictor


class ReverseKLOptions(LabelOptions):
    """Options of reverse KL."""

    clip: float = Field(4.0, gt=0, le=14, description="Largest log-odds, in nats, that the teacher may have.")


@METHODS.register("reverse-kl")
class ReverseKLMethod(Method):
    """KL(f || p)."""

    name: ClassVar[str] = "reverse-kl"
    title: ClassVar[str] = "Reverse KL"
    summary: ClassVar[str] = "Train with the divergence from the student to the teacher instead of the reverse."
    source: ClassVar[str] = "Yao et al. 2025, arXiv:2502.11107. Departs: the teacher's log-odds are clipped."
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[ReverseKLOptions]] = ReverseKLOptions

    def fit(self, context: Context, options: ReverseKLOptions) -> Predictor:
        """Weak labels into the student under reverse KL."""
        targets = options.targets(context.weak_probs)
        return context.student.fit(targets, context.weights, objective=ReverseKL(options.clip), l2=options.l2)
