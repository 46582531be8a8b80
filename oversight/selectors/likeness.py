"""Which methods are the same but for what does not matter: comments and layout of code, an option's third digit."""

import ast
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.core.cache import cache

from experiments.snapshots.models import Snapshot
from experiments.snapshots.selectors import files_of
from oversight.syntax import Unreadable, nodes_of, readable

CACHE_SECONDS = 30 * 86_400
DIGITS = 2  # of an option's value that make a difference


def likeness_of(snapshot: Snapshot) -> str:
    """The likeness of its code. Trees are built once for each snapshot, not for each that it is compared with."""
    key = f"likeness:{snapshot.digest}"
    found: str | None = cache.get(key)
    if found is None:
        found = code_likeness(files_of(snapshot.pk))
        cache.set(key, found, timeout=CACHE_SECONDS)
    return found


def code_likeness(files: Mapping[str, str]) -> str:
    """SHA-256 of the syntax trees without docstrings and positions, and of other files as they are.

    Python that is larger than what is read counts as it is, too; the static scan has flagged it.
    """
    hasher, read = hashlib.sha256(), readable(files)
    for path, text in sorted(files.items()):
        told = _tree(text) if path in read and path.endswith(".py") else text
        hasher.update(f"{path}\n{told}\n".encode("utf-8", "replace"))
    return hasher.hexdigest()


def options_likeness(method: str, options: Mapping[str, Any]) -> str:
    """A method with its options, numbers cut to two significant digits."""
    return json.dumps([method, {name: _rounded(value) for name, value in options.items()}], sort_keys=True, default=str)


def _tree(text: str) -> str:
    try:
        nodes, _ = nodes_of(text)
    except Unreadable:
        return text
    for node in nodes:
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[:] = body[1:]
    return ast.dump(nodes[0])


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, int | float) and not isinstance(value, bool) else value
