"""Which methods are the same but for what does not matter: comments and layout of code, an option's third digit."""

import ast
import hashlib
import json
from collections.abc import Mapping
from typing import Any

DIGITS = 2  # of an option's value that make a difference


def code_likeness(files: Mapping[str, str]) -> str:
    """SHA-256 of the syntax trees without docstrings and positions, and of other files as they are."""
    hasher = hashlib.sha256()
    for path, text in sorted(files.items()):
        hasher.update(f"{path}\n{_tree(text) if path.endswith('.py') else text}\n".encode("utf-8", "replace"))
    return hasher.hexdigest()


def options_likeness(method: str, options: Mapping[str, Any]) -> str:
    """A method with its options, numbers cut to two significant digits."""
    return json.dumps([method, {name: _rounded(value) for name, value in options.items()}], sort_keys=True, default=str)


def _tree(text: str) -> str:
    try:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and _is_docstring(body[0]):
                body[:] = body[1:]
        return ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, int | float) and not isinstance(value, bool) else value
