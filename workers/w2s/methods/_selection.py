"""Chooses the items that each seed learns from."""

import numpy as np

from workers.w2s.problem import Floats


def keep_highest(scores: Floats, weights: Floats, share: float) -> Floats:
    """Weights with only the highest-scoring `share` of each seed's items left, at least one; the rest become 0.

    scores, weights: (S, N). Items of weight 0 are neither counted nor kept. Equal scores: the earlier item stays.
    """
    kept = np.zeros_like(weights)
    for row, (score, weight) in enumerate(zip(scores, weights, strict=True)):
        eligible = np.flatnonzero(weight > 0)
        count = max(1, round(share * len(eligible)))
        chosen = eligible[np.argsort(-score[eligible], kind="stable")[:count]]
        kept[row, chosen] = weight[chosen]
    return kept


def kept_line(before: Floats, after: Floats) -> str:
    """A log line that says how many items each seed keeps."""
    counts = [f"{int((now > 0).sum())}/{int((then > 0).sum())}" for now, then in zip(after, before, strict=True)]
    return f"items kept per seed: {', '.join(counts)}"
