"""Leaves out the labels that their neighbours in the strong model's space contradict."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from workers.w2s.methods import HIDDEN_STATES, METHODS, WEAK_LABELS, Method, StudentOptions, hardened
from workers.w2s.methods._neighbours import nearest
from workers.w2s.methods._selection import keep_highest, kept_line
from workers.w2s.problem import Context, Predictor


class KnnFilterOptions(StudentOptions):
    """Options of the neighbour filter."""

    neighbours: int = Field(50, ge=1, le=500, description="How many nearest items are asked about each label.")
    drop: float = Field(0.3, gt=0, lt=1, description="Share of the items to leave out, most contradicted first.")


@METHODS.register("knn-filter")
class KnnFilter(Method):
    """Vanilla without the share of items with the largest |mean p of the neighbours − p|."""

    name: ClassVar[str] = "knn-filter"
    title: ClassVar[str] = "Neighbour filter"
    summary: ClassVar[str] = "Drop the weak labels that nearby items contradict most."
    source: ClassVar[str] = (
        "After EleutherAI/w2s topo.py, topological filter with k 50. Departs: only its second step, distance from the "
        "neighbours' mean label, in cosine distance; neighbours are of other questions; pairs count up to swapping."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS, HIDDEN_STATES})
    Options: ClassVar[type[KnnFilterOptions]] = KnnFilterOptions

    def fit(self, context: Context, options: KnnFilterOptions) -> Predictor:
        """Hard labels of the items that stay into the student."""
        neighbours = nearest(context, options.neighbours)
        mean = neighbours.weak_mean(context.weak_probs, context.weights, options.neighbours)
        agreement = -np.abs(mean - context.weak_probs)
        weights = keep_highest(agreement, context.weights, 1 - options.drop)
        context.student.diary.lines.append(kept_line(context.weights, weights))
        return context.student.fit(hardened(context.weak_probs), weights, l2=options.l2)
