"""Naive weak-to-strong training on probabilities: the student learns how sure the teacher is."""

from typing import ClassVar

from workers.w2s.methods import METHODS, WEAK_LABELS, Method, StudentOptions
from workers.w2s.problem import Context, Predictor


@METHODS.register("soft-labels")
class SoftLabels(Method):
    """CE(p, f): same gradient as KL(p || f)."""

    name: ClassVar[str] = "soft-labels"
    title: ClassVar[str] = "Soft labels"
    summary: ClassVar[str] = "Train on the teacher's probabilities."
    source: ClassVar[str] = "Burns et al. 2023, arXiv:2312.09390; openai/weak-to-strong xent_loss."
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[StudentOptions]] = StudentOptions

    def fit(self, context: Context, options: StudentOptions) -> Predictor:
        """Probabilities into the student."""
        return context.student.fit(context.weak_probs, context.weights, l2=options.l2)
