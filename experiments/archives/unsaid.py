"""Takes out of records what somebody hid since: whoever wrote or read it has it in their transcript."""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

UNSAID = "[hidden]"
RUN = 6  # words in a row that give a text away, however it was wrapped, cut or marked up
_LEAST = 3  # a run of fewer is ordinary language
# a line's end as JSON writes it is none of a word's letters
_WORD = re.compile(r"\\[nrt]|([^\W_]+)")


class Unsaid:
    """Texts, of which no run of RUN words may be said; of one shorter than that, the whole of it."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._whole: set[str] = set()
        self._runs: dict[int, set[tuple[str, ...]]] = defaultdict(set)
        for text in texts:
            words = [word for _, _, word in _words(text)]
            if len(words) > 1:
                self._whole.add(text.strip())
            if (length := min(len(words), RUN)) >= _LEAST:
                self._runs[length] |= {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}

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
        found = _words(text)
        words = [word for _, _, word in found]
        covered = [False] * len(words)
        for length, runs in self._runs.items():
            for i in range(len(words) - length + 1):
                if tuple(words[i : i + length]) in runs:
                    covered[i : i + length] = [True] * length
        if True not in covered:
            return text
        edges = [i for i, (before, now) in enumerate(pairwise([False, *covered, False])) if before != now]
        kept, at = [], 0
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            kept.append(text[at : found[begin][0]])
            at = found[end - 1][1]
        return UNSAID.join([*kept, text[at:]])


def _words(text: str) -> list[tuple[int, int, str]]:
    """(start, end, word) of each."""
    return [(each.start(), each.end(), each[1].casefold()) for each in _WORD.finditer(text) if each[1]]
