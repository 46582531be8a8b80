"""Chains of near-duplicates among prediction vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oversight.facts import Bits

SHARE = 0.01  # of the items: vectors closer than that are near-duplicates
FEWEST = 2  # items; below 200 of them, one percent is not even a block of two


@dataclass(frozen=True, slots=True)
class Chain:
    """Vectors that hang together by small steps.

    steps: indices of vectors that are a step from an earlier one. union: distinct flipped items over the sum of flips:
    near 1 when each step touches items of its own, low when the same borderline items move back and forth.
    """

    members: tuple[int, ...]
    steps: tuple[int, ...]
    flipped: int
    union: float


def reach(items: int) -> int:
    """The largest Hamming distance of a step."""
    return max(FEWEST, int(SHARE * items))


def chains(vectors: Sequence[Bits]) -> list[Chain]:
    """Connected components of the steps, longest first.

    A vector is a step where its nearest earlier one differs in 1 to `reach` items; exact repeats are none.
    """
    if len(vectors) < 2:
        return []
    signs = np.where(np.stack(vectors), 1.0, -1.0).astype(np.float32)
    items = signs.shape[1]
    distances = ((items - signs @ signs.T) / 2).round().astype(int)
    root = list(range(len(vectors)))
    flips: dict[int, Bits] = {}
    for q in range(1, len(vectors)):
        parent = int(distances[q, :q].argmin())
        if distances[q, parent] == 0:
            root[q] = root[parent]
        elif distances[q, parent] <= reach(items):
            root[q] = root[parent]
            flips[q] = vectors[q] != vectors[parent]
    found = []
    for start in sorted({root[q] for q in flips}):
        members = tuple(q for q in range(len(vectors)) if root[q] == start)
        steps = tuple(q for q in members if q in flips)
        touched = np.stack([flips[q] for q in steps])
        total = int(touched.sum())
        found.append(Chain(members, steps, total, float(touched.any(axis=0).sum()) / total))
    return sorted(found, key=lambda chain: -len(chain.steps))
