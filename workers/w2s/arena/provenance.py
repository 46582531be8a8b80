"""Says which code and which libraries made a result."""

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import platform
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from workers.w2s.methods import METHODS, parse_options

_PACKAGE = "workers.w2s"
_STUDENTS = f"{_PACKAGE}.students"  # what a method trains through, whether it imports it or not
_LIBRARIES = ("numpy", "torch", "transformers", "safetensors", "peft")


@cache
def versions() -> dict[str, str]:
    """Python and the libraries that results depend on. The same dictionary each time: copy before adding to it."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in _LIBRARIES}


def method_digest(method: str, options: Mapping[str, Any]) -> str:
    """SHA-256 of a method's code, of all code of this package it depends on, and of its options with defaults.

    Dependencies are what the sources import, so a change to another method leaves it alone.
    Raises: registry.UnknownName, methods.OptionError.
    """
    chosen = METHODS.get(method)
    filled = json.dumps(parse_options(chosen, options).model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(f"{method}\n{filled}\n{_code_digest(chosen.__module__)}".encode()).hexdigest()


@cache
def _code_digest(module: str) -> str:
    """Over the sources of a module, of the students and of everything in the package they import, by name.

    Sources are read once per process: what runs is what was imported.
    """
    sources: dict[str, bytes] = {}
    waiting = [module, _STUDENTS]
    while waiting:
        name = waiting.pop()
        if name not in sources:
            path = _source(name)
            sources[name] = path.read_bytes()
            waiting += _imports(name, path)
    hasher = hashlib.sha256()
    for name in sorted(sources):
        hasher.update(f"{name} {len(sources[name])}\n".encode() + sources[name])
    return hasher.hexdigest()


def _source(name: str) -> Path:
    loaded = sys.modules.get(name)
    file = getattr(loaded, "__file__", None)
    if file is None:
        spec = importlib.util.find_spec(name)
        file = spec.origin if spec else None
    if file is None:
        raise ModuleNotFoundError(f"{name} has no source file")
    return Path(file)


def _imports(name: str, path: Path) -> list[str]:
    """Modules of the package that a source imports (absolute imports, as the style has it)."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    inside = [one for one in found if one.startswith(f"{_PACKAGE}.")]
    return [one for one in inside if one != name and _is_module(one)]


def _is_module(name: str) -> bool:
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the parent is a module, so this is one of its names
        return False
