"""What seeds are drawn from: code without what changes nothing, so that a comment or another name draws no others.

Where it cannot tell, it says less of the code, never more: what says nothing gives nothing to hunt seeds with. Text is
cut into tokens, never parsed or compiled.
"""

import hashlib
import io
import keyword
import tokenize
from collections.abc import Callable, Mapping
from functools import lru_cache

from experiments.snapshots.models import Snapshot
from experiments.snapshots.selectors import files_of

# Of one tree, small files first: under a second for the worst that 5 MB can hold.
MOST_CHARACTERS = 500_000
MOST_PIECES = 80_000  # tokens and lines
_SILENT = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER})
_SHAPE = frozenset({tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT})  # that they are, not how they are written


class _Unread(Exception):
    """Too long, or no Python."""


def skeleton_of(snapshot: Snapshot) -> str:
    """Of a snapshot's code, which never changes: each process reads it once."""
    return _kept(snapshot.digest, snapshot.pk)


@lru_cache(maxsize=512)
def _kept(digest: str, snapshot_id: int) -> str:
    return skeleton_digest(files_of(snapshot_id))


def skeleton_digest(files: Mapping[str, str]) -> str:
    """SHA-256 of what the Python of a tree does: its tokens without comments, blank lines and layout, names numbered.

    Names are numbered in each file as they come, but for keywords. Numbers and strings stay, docstrings among them. A
    file without tokens says nothing; nor do paths, copies, and files that are no Python. One that cannot be cut into
    tokens, or lies beyond what is read, says that alone. Tokens are those of the Python that runs here.
    """
    said: set[str] = set()
    characters, pieces = MOST_CHARACTERS, MOST_PIECES
    code = [text for path, text in files.items() if path.endswith(".py")]
    for text in sorted(code, key=lambda text: (len(text), text)):
        if len(text) > characters:
            said.add("unread")
            continue
        characters -= len(text)
        digest, used = _said(text, pieces)
        pieces -= used
        said.add(digest)
    return hashlib.sha256("\n".join(sorted(said - {""})).encode()).hexdigest()


def _said(text: str, most: int) -> tuple[str, int]:
    """Digest of one file, "" if it has no token, and how many tokens and lines were read."""
    lines, used, spoke = _Lines(text, most), 0, False
    hasher, names = hashlib.sha256(), dict[str, int]()
    try:
        for kind, string, *_ in tokenize.generate_tokens(lines):
            used += 1
            if kind == tokenize.ERRORTOKEN or used + lines.read > most:
                return "unread", used + lines.read
            if kind in _SILENT:
                continue
            spoke = True
            told = _told(kind, string, names)
            hasher.update(f"{kind} {len(told)} {told}\n".encode("utf-8", "replace"))
    except (tokenize.TokenError, SyntaxError, _Unread):
        return "unread", used + lines.read
    return hasher.hexdigest() if spoke else "", used + lines.read


def _told(kind: int, string: str, names: dict[str, int]) -> str:
    if kind in _SHAPE:
        return ""
    if kind == tokenize.NAME and not keyword.iskeyword(string):
        return str(names.setdefault(string, len(names)))
    return string


class _Lines:
    """Reads line by line, whatever ends a line, and no more than so many."""

    def __init__(self, text: str, most: int) -> None:
        self._readline: Callable[[], str] = io.StringIO(text, newline=None).readline
        self._most = most
        self.read = 0

    def __call__(self) -> str:
        self.read += 1
        if self.read > self._most:
            raise _Unread
        return self._readline()
