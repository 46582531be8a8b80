"""Lets weak labels flow along the neighbourhood graph of the strong model's space before the student learns them."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from workers.w2s.methods import HIDDEN_STATES, METHODS, WEAK_LABELS, Method, StudentOptions
from workers.w2s.methods._neighbours import Neighbours, nearest
from workers.w2s.problem import Context, Floats, Predictor

Doubles = NDArray[np.float64]

_TOLERANCE = 1e-5  # of labels in [−1, 1]; a sweep shrinks the error at least by `strength`


class LabelPropagationOptions(StudentOptions):
    """Options of label propagation."""

    neighbours: int = Field(10, ge=1, le=500, description="Nearest items that each item is linked to.")
    strength: float = Field(0.9, gt=0, lt=1, description="Weight of the neighbours against an item's own weak label.")


@METHODS.register("label-propagation")
class LabelPropagation(Method):
    """Hard labels 1[F > 0] of the fixed point F = (1−a)(2p−1) + a S F, S the normalised graph."""

    name: ClassVar[str] = "label-propagation"
    title: ClassVar[str] = "Label propagation"
    summary: ClassVar[str] = "Smooth the weak labels over the graph of nearest neighbours, then train on their signs."
    source: ClassVar[str] = (
        "Zhou et al. 2003, Learning with local and global consistency; for weak supervision arXiv:2210.03594. "
        "Departs: links weigh the cosine of the features, none within a question; pairs count up to swapping."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS, HIDDEN_STATES})
    Options: ClassVar[type[LabelPropagationOptions]] = LabelPropagationOptions

    def fit(self, context: Context, options: LabelPropagationOptions) -> Predictor:
        """Signs of the propagated labels into the student."""
        graph = neighbourhood_graph(nearest(context, options.neighbours), options.neighbours)
        own = 2 * context.weak_probs.astype(np.float64) - 1
        flowed = propagate(graph, own, context.weights, options.strength)
        return context.student.fit((flowed > 0).astype(np.float32), context.weights, l2=options.l2)


def neighbourhood_graph(neighbours: Neighbours, k: int) -> sparse.csr_array:
    """(N, N) D^−1/2 A D^−1/2: A links each item to its k nearest by the signed cosine, one-sided links count half."""
    many, width = len(neighbours.index), min(k, neighbours.index.shape[1])
    valid = neighbours.valid[:, :width]
    rows = np.repeat(np.arange(many), width)[valid.ravel()]
    columns = neighbours.index[:, :width][valid]
    similarity = neighbours.similarity[:, :width][valid].astype(np.float64)
    links = sparse.csr_array((similarity, (rows, columns)), (many, many))
    symmetric = (links + links.T) / 2
    degree = np.asarray(abs(symmetric).sum(axis=1)).ravel()
    scale = 1 / np.sqrt(np.where(degree > 0, degree, 1))
    return sparse.csr_array(symmetric.multiply(scale[:, None]).multiply(scale[None, :]))


def propagate(graph: sparse.csr_array, own: Doubles, weights: Floats, strength: float) -> Doubles:
    """(S, N) fixed point of F = (1−a)·own + a·S·F, among the items that each seed may learn from; 0 elsewhere."""
    allowed = (weights > 0).T  # (N, S)
    start = np.where(allowed, own.T, 0)
    labels = start
    while True:
        after = np.where(allowed, (1 - strength) * start + strength * (graph @ labels), 0)
        change = np.abs(after - labels).max()
        labels = after
        if change < _TOLERANCE * (1 - strength):
            return np.ascontiguousarray(labels.T)
