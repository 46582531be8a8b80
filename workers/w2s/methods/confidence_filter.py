"""Trains only where the teacher is sure: the human baseline of the published experiment."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from workers.w2s.methods import METHODS, WEAK_LABELS, Method, StudentOptions, hardened
from workers.w2s.methods._selection import keep_highest, kept_line
from workers.w2s.problem import Context, Predictor


class ConfidenceFilterOptions(StudentOptions):
    """Options of the confidence filter."""

    threshold: float = Field(0.75, ge=0.5, lt=1, description="Keep items where max(p, 1 − p) exceeds this.")
    at_least: float = Field(
        0.1, gt=0, le=1, description="Share of the items, surest first, that stays however unsure the teacher is."
    )


@METHODS.register("confidence-filter")
class ConfidenceFilter(Method):
    """Vanilla on the items with max(p, 1 − p) > threshold."""

    name: ClassVar[str] = "confidence-filter"
    title: ClassVar[str] = "Confidence filter"
    summary: ClassVar[str] = "Train on hard labels, only of the items the teacher is sure of."
    source: ClassVar[str] = (
        "safety-research/automated-w2s-research train_only_on_confident_labels, threshold .75. "
        "Departs: a share of the surest items always stays, or a timid teacher would leave nothing to learn from."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[ConfidenceFilterOptions]] = ConfidenceFilterOptions

    def fit(self, context: Context, options: ConfidenceFilterOptions) -> Predictor:
        """Hard labels of the sure items into the student."""
        sure = np.maximum(context.weak_probs, 1 - context.weak_probs)
        weights = np.where(sure > options.threshold, context.weights, 0).astype(np.float32)
        weights = np.maximum(weights, keep_highest(sure, context.weights, options.at_least))
        context.student.diary.lines.append(kept_line(context.weights, weights))
        return context.student.fit(hardened(context.weak_probs), weights, l2=options.l2)
