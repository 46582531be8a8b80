"""Which items a step sees, and how their texts lie in one forward pass."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.w2s.finetune.reading import TokenStates
from workers.w2s.problem import Ints
from workers.w2s.texts import Encoded
from workers.w2s.trie import pack

# Nodes of one tree; see forward.PACK_NODES. A batch of 32 short pairs fills about three.
TREE_NODES = 256
LONGEST_IN_TREE = 512  # tokens; longer texts share too little of their length for a dense mask to pay
_BUCKETS = 16  # batches that are sorted by length together: padding shrinks, and order stays random


@dataclass(frozen=True, eq=False)
class Batch:
    """n texts in (b, t) nodes.

    ids: (b, t) tokens. states: (b, t, d) after the frozen blocks, or None if there are none.
    positions (b, t) and mask (b, 1, t, t) additive: of trees; both None for plain texts padded on the right.
    ends: (n,) where each text's last token lies among the b * t nodes.
    """

    ids: Tensor
    states: Tensor | None
    positions: Tensor | None
    mask: Tensor | None
    ends: Tensor


def draw_batches(items: Ints, lengths: Ints, *, size: int, epochs: int, seed: int) -> list[Ints]:
    """Items of every step: each epoch sees each item once, in an order that depends on the seed alone.

    items: (n,) to learn from. lengths: (M,) of all items, so that items of like length meet.
    """
    batches: list[Ints] = []
    for epoch in range(epochs):
        generator = np.random.default_rng([seed, epoch])
        order = generator.permutation(items)
        epoch_batches = []
        for start in range(0, len(order), size * _BUCKETS):
            bucket = order[start : start + size * _BUCKETS]
            bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
            epoch_batches += [bucket[first : first + size] for first in range(0, len(bucket), size)]
        batches += [epoch_batches[i] for i in generator.permutation(len(epoch_batches))]
    return batches


def lay_out(
    texts: Sequence[Encoded],
    chosen: Ints,
    states: TokenStates | None,
    *,
    trees: bool,
    device: torch.device,
    dtype: torch.dtype,
) -> Batch:
    """The chosen texts (n,) as one batch: as trees that share beginnings, or padded.

    trees: only for texts of at most LONGEST_IN_TREE tokens.
    """
    sequences = [texts[i].tokens for i in chosen]
    if trees and max(map(len, sequences)) <= LONGEST_IN_TREE:
        rows, mask, ends = _as_trees(sequences, dtype)
    else:
        rows = [(np.arange(len(tokens)), np.full(len(tokens), i)) for i, tokens in enumerate(sequences)]
        mask = None
        longest = max(map(len, sequences))
        ends = np.array([i * longest + len(tokens) - 1 for i, tokens in enumerate(sequences)], dtype=np.int64)
    shape = (len(rows), max(len(position) for position, _ in rows))
    ids, positions, source = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    for row, (position, text) in enumerate(rows):
        filled = slice(0, len(position))
        positions[row, filled] = position
        ids[row, filled] = [sequences[t][p] for t, p in zip(text, position, strict=True)]
        if states is not None:
            source[row, filled] = states.starts[chosen[text]] + position
    gathered = None
    if states is not None:
        gathered = states.flat[torch.from_numpy(source.ravel())].view(*shape, -1).to(device, dtype)
    return Batch(
        torch.from_numpy(ids).to(device),
        gathered,
        None if mask is None else torch.from_numpy(positions).to(device),
        None if mask is None else mask.to(device),
        torch.from_numpy(ends).to(device),
    )


def _as_trees(
    sequences: Sequence[tuple[int, ...]], dtype: torch.dtype
) -> tuple[list[tuple[Ints, Ints]], Tensor, NDArray[np.int64]]:
    """Rows as (position, text) of each node, their additive mask (b, 1, t, t), and where each text ends."""
    packs = pack(sequences, budget=TREE_NODES)
    length = max(len(one.tokens) for one in packs)
    visible = np.zeros((len(packs), length, length), dtype=np.bool_)
    visible[:, np.arange(length), np.arange(length)] = True  # padding sees itself: no empty softmax
    rows = []
    ends = np.empty(len(sequences), dtype=np.int64)
    for row, one in enumerate(packs):
        nodes = len(one.tokens)
        visible[row, :nodes, :nodes] = one.visible()
        owner = np.empty(nodes, dtype=np.int64)
        for text, path in zip(one.texts, one.paths, strict=True):
            owner[path] = text
            ends[text] = row * length + path[-1]
        rows.append((one.positions, owner))
    mask = torch.zeros(visible.shape, dtype=dtype).masked_fill_(~torch.from_numpy(visible), torch.finfo(dtype).min)
    return rows, mask[:, None], ends
