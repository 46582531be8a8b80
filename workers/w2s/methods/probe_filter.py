"""Leaves out the labels that a student trained on the other questions contradicts most."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from workers.w2s.methods import METHODS, WEAK_LABELS, Method, StudentOptions, hardened
from workers.w2s.methods._selection import keep_highest, kept_line
from workers.w2s.problem import Context, Predictor


class ProbeFilterOptions(StudentOptions):
    """Options of the probe filter."""

    drop: float = Field(0.1, gt=0, lt=1, description="Share of the items to leave out, most contradicted first.")


@METHODS.register("probe-filter")
class ProbeFilter(Method):
    """Vanilla without the share of items with the largest |p' − p|, p' predicted out of fold."""

    name: ClassVar[str] = "probe-filter"
    title: ClassVar[str] = "Probe filter"
    summary: ClassVar[str] = "Drop the weak labels that a cross-fitted student contradicts most."
    source: ClassVar[str] = (
        "EleutherAI/w2s --probe_filter, share .1. Departs: p' comes from students that did not see the question, "
        "penalty by cross-validation; theirs fits and judges the same items with l2 1e-3."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[ProbeFilterOptions]] = ProbeFilterOptions

    def fit(self, context: Context, options: ProbeFilterOptions) -> Predictor:
        """Hard labels of the items that stay into the student."""
        believed = context.student.cross_fit(context.weak_probs, context.weights, l2=options.l2)
        agreement = -np.abs(believed - context.weak_probs)
        weights = keep_highest(agreement, context.weights, 1 - options.drop)
        context.student.diary.lines.append(kept_line(context.weights, weights))
        return context.student.fit(hardened(context.weak_probs), weights, l2=options.l2)
