"""Nearest neighbours among the training items, by direction in the strong model's space.

Which response of a pair stands first is arbitrary: swapping them negates features and label. So two pairs are near
when their features are nearly parallel or nearly opposite, and an opposite neighbour's label counts reversed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.w2s.problem import Floats, Inputs, Ints

_SPARE = 4  # candidates kept per neighbour wanted: seeds leave items out, and take the next nearest instead
_ROWS = 1024  # of the similarity matrix at a time: 28 MB at 7,000 items


@dataclass(frozen=True, eq=False)
class Neighbours:
    """For each of N items its C nearest others, nearest first; items of the same question are no neighbours.

    index: (N, C) positions. similarity: (N, C) signed cosine in [−1, 1]; negative where the label counts reversed.
    valid: (N, C) false where an item has fewer than C others.
    """

    index: Ints
    similarity: Floats
    valid: NDArray[np.bool_]

    def weak_mean(self, probs: Floats, weights: Floats, k: int) -> Floats:
        """(S, N) mean label of each item's k nearest neighbours that the seed may learn from; .5 where it has none.

        probs, weights: (S, N).
        """
        sign = np.where(self.similarity < 0, -1, 1).astype(np.float32)
        means = np.empty_like(probs, dtype=np.float32)
        for row, (prob, weight) in enumerate(zip(probs, weights, strict=True)):
            allowed = self.valid & (weight[self.index] > 0)
            chosen = allowed & (np.cumsum(allowed, axis=1) <= k)
            votes = np.where(chosen, sign * (prob[self.index] - 0.5), 0).sum(axis=1)
            means[row] = 0.5 + votes / np.maximum(chosen.sum(axis=1), 1)
        return means


def nearest(inputs: Inputs, k: int) -> Neighbours:
    """The nearest other items of every item, with spares so that k are left in a run that leaves questions out.

    Claims are centred on their mean first; only parallel features are near, obtuse ones have similarity 0.
    """
    pairs = inputs.kind == "pair"
    features = inputs.features if pairs else inputs.features - inputs.features.mean(axis=0)
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    many = min(_SPARE * k, len(unit) - 1)
    index = np.empty((len(unit), many), dtype=np.int64)
    similarity = np.empty((len(unit), many), dtype=np.float32)
    valid = np.empty((len(unit), many), dtype=np.bool_)
    for start in range(0, len(unit), _ROWS):
        rows = slice(start, start + _ROWS)
        cosine = unit[rows] @ unit.T
        closeness = np.abs(cosine) if pairs else cosine.copy()
        closeness[inputs.groups[rows, None] == inputs.groups[None, :]] = -np.inf
        nearby = np.argpartition(-closeness, many - 1, axis=1)[:, :many]
        order = np.argsort(-np.take_along_axis(closeness, nearby, axis=1), axis=1, kind="stable")
        index[rows] = np.take_along_axis(nearby, order, axis=1)
        found = np.take_along_axis(cosine, index[rows], axis=1)
        similarity[rows] = found if pairs else np.maximum(found, 0)
        valid[rows] = np.take_along_axis(closeness, index[rows], axis=1) > -np.inf
    return Neighbours(index, similarity, valid)
