"""Which items a run may learn from."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from workers.w2s.problem import Floats, Ints

SHARE = 0.8  # of the question groups that a run may learn from
_DRAW = 1  # keeps the draw of groups apart from a method's own, which starts from the same seed


def train_mask(groups: ArrayLike, seed: int, share: float = SHARE) -> Floats:
    """(N,) 1 where a run may learn from the item: whole groups, `share` of them, drawn from the run's seed."""
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    order = np.random.default_rng((seed, _DRAW)).permutation(len(names))
    kept = np.zeros(len(names), dtype=np.float32)
    kept[order[: max(1, round(share * len(names)))]] = 1
    return kept[codes]


def train_masks(groups: Ints, seeds: Sequence[int]) -> Floats:
    """(S, N), one row per seed."""
    return np.stack([train_mask(groups, seed) for seed in seeds])
