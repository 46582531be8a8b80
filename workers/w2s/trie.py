"""Packs texts that share beginnings into token trees, so that each shared token is computed once.

A causal model's state at a token depends on the tokens before it only. Texts that begin alike can therefore stand in
one sequence as a tree: each node attends to its ancestors and takes its depth as position.
The answers "Paris" and "Lyon" to one question cost the question once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Tokens = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Pack:
    """Some texts as one tree (or several), nodes in depth-first order.

    tokens, positions: (n,) token of each node and its place in its text.
    ends: (n,) index after the last node of each node's subtree.
    texts: (m,) which texts end here, as indices into the packed sequences.
    paths: one array a text, the nodes from the first token not left out to its last.
    """

    tokens: NDArray[np.int64]
    positions: NDArray[np.int64]
    ends: NDArray[np.int64]
    texts: list[int]
    paths: list[NDArray[np.int64]]

    def visible(self) -> NDArray[np.bool_]:
        """(n, n), [i, j] true where node j is node i or one of its ancestors."""
        node = np.arange(len(self.tokens))
        return (node[None, :] <= node[:, None]) & (node[:, None] < self.ends[None, :])


def pack(sequences: Sequence[Tokens], *, budget: int, skip: int = 0) -> list[Pack]:
    """Distribute texts over packs of at most `budget` nodes; a longer text has a pack of its own.

    Beginnings shared by texts of different packs are repeated in each.
    skip: length of a beginning that all texts share and that is left out (its keys and values are supplied).
    """
    packs: list[_Growing] = []
    previous: Tokens = ()
    for text in sorted(range(len(sequences)), key=lambda i: sequences[i]):
        tokens = sequences[text]
        shared = max(shared_length(previous, tokens), skip)
        if not packs or packs[-1].size + len(tokens) - shared > budget:
            packs.append(_Growing(skip))
            shared = skip
        packs[-1].add(text, tokens, shared)
        previous = tokens
    return [growing.finish() for growing in packs]


def shared_length(first: Tokens, second: Tokens) -> int:
    """How many tokens two sequences have in common at their beginning."""
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length


def shared_beginning(sequences: Sequence[Tokens]) -> int:
    """How many tokens all sequences have in common at their beginning."""
    return shared_length(min(sequences), max(sequences)) if sequences else 0


class _Growing:
    """A pack to which texts are added in sorted order."""

    def __init__(self, skip: int) -> None:
        self.skip = skip
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.ends: list[int] = []
        self.path: list[int] = []  # nodes of the text added last
        self.texts: list[int] = []
        self.paths: list[NDArray[np.int64]] = []

    @property
    def size(self) -> int:
        return len(self.tokens)

    def add(self, text: int, tokens: Tokens, shared: int) -> None:
        """Branch off after the `shared` first tokens of the text added last."""
        self._close(shared - self.skip)
        for position in range(shared, len(tokens)):
            self.path.append(self.size)
            self.tokens.append(tokens[position])
            self.positions.append(position)
            self.ends.append(-1)  # known when the path leaves the node
        self.texts.append(text)
        self.paths.append(np.array(self.path, dtype=np.int64))

    def finish(self) -> Pack:
        self._close(0)
        tokens, positions, ends = (np.array(part, dtype=np.int64) for part in (self.tokens, self.positions, self.ends))
        return Pack(tokens, positions, ends, self.texts, self.paths)

    def _close(self, depth: int) -> None:
        """Leave the nodes of the path below `depth`: their subtrees are whole."""
        for node in self.path[depth:]:
            self.ends[node] = self.size
        del self.path[depth:]
