"""Naive weak-to-strong training: the student learns the teacher's hard labels."""

from typing import ClassVar

from workers.w2s.methods import METHODS, WEAK_LABELS, Method, StudentOptions, hardened
from workers.w2s.problem import Context, Predictor


@METHODS.register("vanilla")
class Vanilla(Method):
    """CE(y, f) with y = 1[p > .5]: the reference every other method is compared with."""

    name: ClassVar[str] = "vanilla"
    title: ClassVar[str] = "Vanilla (hard labels)"
    summary: ClassVar[str] = "Train on the teacher's hard labels."
    source: ClassVar[str] = "Burns et al. 2023, arXiv:2312.09390; safety-research/automated-w2s-research vanilla_w2s."
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[StudentOptions]] = StudentOptions

    def fit(self, context: Context, options: StudentOptions) -> Predictor:
        """Hard labels into the student."""
        return context.student.fit(hardened(context.weak_probs), context.weights, l2=options.l2)
