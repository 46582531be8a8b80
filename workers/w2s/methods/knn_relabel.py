"""Replaces every weak label by the mean of its neighbours' in the strong model's space."""

from typing import ClassVar

from pydantic import Field

from workers.w2s.methods import HIDDEN_STATES, METHODS, WEAK_LABELS, LabelOptions, Method
from workers.w2s.methods._neighbours import nearest
from workers.w2s.problem import Context, Predictor


class KnnRelabelOptions(LabelOptions):
    """Options of neighbour relabelling; `labels` is the form of the new labels."""

    neighbours: int = Field(50, ge=1, le=500, description="Over how many nearest items each label is averaged.")


@METHODS.register("knn-relabel")
class KnnRelabel(Method):
    """CE(mean p of the k nearest other items, f)."""

    name: ClassVar[str] = "knn-relabel"
    title: ClassVar[str] = "Neighbour relabelling"
    summary: ClassVar[str] = "Train on the mean weak label of each item's neighbours."
    source: ClassVar[str] = (
        "EleutherAI/w2s KnnProbe, k 50. Departs: cosine distance; an item and others of its question have no say in "
        "its own label; pairs count up to swapping."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS, HIDDEN_STATES})
    Options: ClassVar[type[KnnRelabelOptions]] = KnnRelabelOptions

    def fit(self, context: Context, options: KnnRelabelOptions) -> Predictor:
        """Averaged labels into the student."""
        neighbours = nearest(context, options.neighbours)
        mean = neighbours.weak_mean(context.weak_probs, context.weights, options.neighbours)
        return context.student.fit(options.targets(mean), context.weights, l2=options.l2)
