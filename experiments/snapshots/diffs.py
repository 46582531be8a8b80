"""How two trees differ, in the unified format, with an amount of work that nobody's files can exceed."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

CONTEXT_LINES = 3
MAX_LINES = 20_000  # a longer file is said to differ, not how: nobody reads that
# Steps of Myers' algorithm for one comparison of trees, about .6 s. Where they run out, the middle of a file is shown
# as replaced whole: right, only coarser.
MAX_STEPS = 2_000_000
_UNENDED = "\0"  # marks a last line without a newline; texts of snapshots hold no NUL


class Change(StrEnum):
    """What happened to a file."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that differs. unified: what `diff -u` prints, headers included; None for files beyond MAX_LINES."""

    path: str
    change: Change
    unified: str | None


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    """The files that differ between two trees, sorted by path; a renamed file is one removed and one added."""
    steps = _Steps(MAX_STEPS)
    paths = [path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]
    return [_file_difference(path, before.get(path), after.get(path), steps) for path in paths]


def _file_difference(path: str, before: str | None, after: str | None, steps: "_Steps") -> Difference:
    change = Change.ADDED if before is None else Change.REMOVED if after is None else Change.CHANGED
    if max((before or "").count("\n"), (after or "").count("\n")) > MAX_LINES:
        return Difference(path, change, None)
    names = ["/dev/null" if before is None else f"a/{path}", "/dev/null" if after is None else f"b/{path}"]
    head = [f"--- {names[0]}", f"+++ {names[1]}"]
    return Difference(path, change, "\n".join([*head, *_hunks(_lines(before), _lines(after), steps)]) + "\n")


def _lines(text: str | None) -> list[str]:
    """Lines without their ends; only a line feed ends one, so a carriage return shows as the change it is."""
    if not text:
        return []
    lines = text.split("\n")
    if lines[-1]:
        lines[-1] += _UNENDED
    else:
        lines.pop()
    return lines


def _hunks(old: Sequence[str], new: Sequence[str], steps: "_Steps") -> Iterator[str]:
    for group in _Matcher(old, new, steps).get_grouped_opcodes(CONTEXT_LINES):
        (_, start, _, new_start, _), (_, _, end, _, new_end) = group[0], group[-1]
        yield f"@@ -{_range(start, end)} +{_range(new_start, new_end)} @@"
        for tag, i, j, k, m in group:
            if tag == "equal":
                yield from _marked(" ", old[i:j])
            else:
                yield from _marked("-", old[i:j])
                yield from _marked("+", new[k:m])


def _range(start: int, end: int) -> str:
    length = end - start
    return f"{start + 1 if length else start},{length}"


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line.removesuffix(_UNENDED)
        if line.endswith(_UNENDED):
            yield "\\ No newline at end of file"


class _Steps:
    """What is left of the work allowed for one comparison."""

    def __init__(self, left: int) -> None:
        self.left = left


class _Matcher(difflib.SequenceMatcher[str]):
    """difflib's grouping of changes into hunks, on matches found by Myers' algorithm with bounded work.

    Source: Myers 1986, "An O(ND) difference algorithm and its variations", the greedy form.
    """

    def __init__(self, old: Sequence[str], new: Sequence[str], steps: _Steps) -> None:
        super().__init__(None, "", "", autojunk=False)  # its own index is never built
        self.a, self.b, self._steps = old, new, steps

    def get_matching_blocks(self) -> list[difflib.Match]:
        """Equal stretches in order, with the empty one at the end that difflib expects."""
        old, new = self.a, self.b
        start, end = 0, 0
        while start < min(len(old), len(new)) and old[start] == new[start]:
            start += 1
        while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
            end += 1
        middle = _kept(old[start : len(old) - end], new[start : len(new) - end], self._steps)
        blocks = [(0, 0, start)] + [(i + start, k + start, n) for i, k, n in middle]
        blocks.append((len(old) - end, len(new) - end, end))
        return [difflib.Match(*block) for block in blocks if block[2]] + [difflib.Match(len(old), len(new), 0)]


def _kept(old: Sequence[str], new: Sequence[str], steps: _Steps) -> list[tuple[int, int, int]]:
    """(place in old, place in new, length) of the stretches kept; none where the steps run out."""
    reach = {1: 0}  # diagonal k = x - y -> furthest x on it
    trail: list[dict[int, int]] = []
    for edits in range(len(old) + len(new) + 1):
        trail.append(dict(reach))
        steps.left -= 2 * edits + 1  # one diagonal each, and copying them
        if steps.left <= 0:
            return []
        for k in range(-edits, edits + 1, 2):
            x = begin = reach[k + 1] if _down(reach, k, edits) else reach[k - 1] + 1
            while x < len(old) and x - k < len(new) and old[x] == new[x - k]:
                x += 1
            reach[k] = x
            steps.left -= x - begin
            if x >= len(old) and x - k >= len(new):
                return _walk_back(trail, len(old), len(new))
    return []


def _down(reach: Mapping[int, int], k: int, edits: int) -> bool:
    """Whether the furthest path on diagonal k came by a line of the new text, not by leaving out one of the old."""
    return k == -edits or (k != edits and reach[k - 1] < reach[k + 1])


def _walk_back(trail: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int, int]]:
    """The kept stretches along the shortest path, which ended at (x, y)."""
    kept: list[tuple[int, int, int]] = []
    for edits in range(len(trail) - 1, -1, -1):
        reach, k = trail[edits], x - y
        down = _down(reach, k, edits)
        before = reach[k + 1] if down else reach[k - 1]
        begin = before if down else before + 1  # x just after the edit
        if x > begin:
            kept.append((begin, begin - k, x - begin))
        x, y = before, before - (k + 1 if down else k - 1)
    return kept[::-1]
