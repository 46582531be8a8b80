"""Takes out of records what somebody hid since: whoever wrote or read it has it in their transcript."""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNSAID = "[hidden]"
RUN = 6  # words in a row that give a text away, however it was wrapped, cut or marked up
_LEAST = 3  # a run of fewer is ordinary language
# a line's end as JSON writes it is none of a word's letters
_WORD = re.compile(r"\\[nrt]|([^\W_]+)")
_STEP = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd, so that no word's bits are lost; which words collide is drawn by Python

Hashes = NDArray[np.uint64]


class Unsaid:
    """Texts, of which no run of RUN words may be said; of one shorter than that, the whole of it.

    Runs are kept as sorted 64-bit hashes: eight bytes each, and a page's runs are all looked up at once.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._whole: set[str] = set()
        runs: dict[int, list[Hashes]] = defaultdict(list)
        for text in texts:
            words = [word.casefold() for word in _WORD.findall(text) if word]
            if len(words) > 1:
                self._whole.add(text.strip())
            if (length := min(len(words), RUN)) >= _LEAST:
                runs[length].append(_runs(words, length))
        self._runs = {length: np.unique(np.concatenate(found)) for length, found in runs.items()}
        self._shortest = min(self._runs, default=0)

    def __bool__(self) -> bool:
        return bool(self._whole)

    def taken_out(self, value: Any) -> Any:
        """Any JSON value without them; names of members stay."""
        if not self._whole:
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self.taken_out(each) for each in value]
        if isinstance(value, dict):
            return {key: self.taken_out(each) for key, each in value.items()}
        return value

    def _text(self, text: str) -> str:
        if text.strip() in self._whole:
            return UNSAID
        words = [word.casefold() for word in _WORD.findall(text) if word]
        if not self._runs or len(words) < self._shortest:
            return text
        covered = np.zeros(len(words), dtype=bool)
        for length, unsaid in self._runs.items():
            if len(words) < length:
                continue
            hit = _among(_runs(words, length), unsaid)
            for offset in range(length):
                covered[offset : offset + len(hit)] |= hit
        return _without(text, covered) if covered.any() else text


def _without(text: str, covered: NDArray[np.bool_]) -> str:
    """The text with one place holder for each stretch of covered words."""
    found = [each.span() for each in _WORD.finditer(text) if each[1]]
    edges = [i for i, (before, now) in enumerate(pairwise([False, *covered.tolist(), False])) if before != now]
    kept, at = [], 0
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        kept.append(text[at : found[begin][0]])
        at = found[end - 1][1]
    return UNSAID.join([*kept, text[at:]])


def _runs(words: list[str], length: int) -> Hashes:
    """A hash of each run of so many words, in their order."""
    hashed = np.fromiter(map(hash, words), dtype=np.int64, count=len(words)).view(np.uint64)
    count = len(words) - length + 1
    found = np.zeros(count, dtype=np.uint64)
    for offset in range(length):
        found = found * _STEP + hashed[offset : offset + count]
    return found


def _among(runs: Hashes, known: Hashes) -> NDArray[np.bool_]:
    """known: sorted, not empty."""
    places = np.minimum(np.searchsorted(known, runs), len(known) - 1)
    return np.equal(known[places], runs)
