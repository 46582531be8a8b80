"""Syntax trees of code that may have been written to keep its reader busy: bounded before it is parsed, and after."""

import ast
import re
from collections.abc import Mapping

MOST_CHARACTERS = 200_000  # of one Python file; a tree takes up to a kilobyte for a character
MOST_IN_ALL = 1_000_000  # of a snapshot's Python: some seconds of parsing at worst
MOST_TEXT = 6_000_000  # of a snapshot's other files; more than a snapshot may hold
MOST_DEPTH = 300  # of a tree; the interpreter itself takes no more than a few thousand
_COOKIE = re.compile(r"^[ \t\f]*#[^\r\n]*?coding[:=][ \t]*([-\w.]+)")
_LINE = re.compile(r"\r\n|\r|\n")


class Unreadable(Exception):
    """It is no Python, or not written as what it would be read as; the message says what, after "it"."""


class TooLarge(Unreadable):
    """It is longer or nested deeper than what is read."""


def nodes_of(text: str) -> tuple[list[ast.AST], list[int]]:
    """The nodes of a file, outer ones first, and for each the place of its parent in that list; 0 for the root.

    Raises: Unreadable, TooLarge.
    """
    nodes: list[ast.AST] = [_parsed(text)]
    parents, depths, at = [0], [0], 0
    while at < len(nodes):
        for child in ast.iter_child_nodes(nodes[at]):
            if isinstance(child, ast.expr_context | ast.operator | ast.unaryop | ast.cmpop | ast.boolop):
                continue  # one object that all nodes share
            if depths[at] == MOST_DEPTH:
                raise TooLarge(f"is too large to be read: it nests deeper than {MOST_DEPTH} levels")
            nodes.append(child)
            parents.append(at)
            depths.append(depths[at] + 1)
        at += 1
    return nodes, parents


def readable(files: Mapping[str, str]) -> set[str]:
    """Paths of what is read of a snapshot: small files first, so that nothing hides behind padding."""
    found: set[str] = set()
    for is_python, most in ((True, MOST_IN_ALL), (False, MOST_TEXT)):
        left = most
        for size, path in sorted(
            (len(text), path) for path, text in files.items() if path.endswith(".py") is is_python
        ):
            left -= size
            if left >= 0:
                found.add(path)
    return found


def _parsed(text: str) -> ast.Module:
    if len(text) > MOST_CHARACTERS:
        raise TooLarge(f"is too large to be read: {len(text):,} characters of Python, of which {MOST_CHARACTERS:,} are")
    for line in _LINE.split(text, maxsplit=2)[:2]:
        cookie = _COOKIE.match(line)
        if cookie and cookie[1].lower().replace("_", "-") not in ("utf-8", "utf8", "ascii"):
            raise Unreadable(f"says that its encoding is {cookie[1][:40]}, so what runs is not what is written")
    try:
        return ast.parse(text.removeprefix("\ufeff"))
    except (RecursionError, MemoryError):  # both are what the parser says of deep nesting
        raise TooLarge("is too large to be read: it nests deeper than the parser goes") from None
    except (SyntaxError, ValueError) as error:
        raise Unreadable(f"cannot be parsed ({type(error).__name__}), so nothing is known of it") from None
