"""What a tree of method code may hold, checked file by file, and the digest that names it."""

import hashlib
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath

from experiments.errors import InvalidInput, TooLarge

ENTRY_POINT = "method.py"
MAX_BYTES = 5 * 10**6  # of all contents together
MAX_FILES = 200
MAX_PATH_BYTES = 200
MAX_NAME_BYTES = 100  # of one folder or file: every file system takes that


def check_tree(files: Mapping[str, object]) -> dict[str, str]:
    """The tree, path -> text, sorted by path.

    Raises: InvalidInput naming the file (as a JSON pointer below #/files) and what is wrong with it; TooLarge.
    """
    if len(files) > MAX_FILES:
        raise TooLarge(f"{len(files)} files; a snapshot holds at most {MAX_FILES}", pointer="#/files")
    taken: dict[str, str] = {}
    checked: dict[str, str] = {}
    total = 0
    for path, text in sorted(files.items()):
        check_path(path)
        _claim(path, taken)
        if not isinstance(text, str):
            raise _refused(path, f"is {type(text).__name__}, not text")
        total += _text_bytes(path, text)
        if total > MAX_BYTES:
            raise too_many_bytes()
        checked[path] = text
    if ENTRY_POINT not in checked:
        raise InvalidInput(
            f"there is no {ENTRY_POINT} at the top: it is where fit(context) is looked for", pointer="#/files"
        )
    return checked


def check_path(path: str) -> None:
    """Raises: InvalidInput unless it is a plain relative path, like "method.py" or "parts/labels.py"."""
    if not path:
        raise InvalidInput("a file has an empty name", pointer="#/files")
    if any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in path):
        raise _refused(path, "has a control or invisible character in its name")
    if "\\" in path or ":" in path:
        raise _refused(path, "has a backslash or colon in its name; folders are separated by /")
    if path.startswith("/"):
        raise _refused(path, "is absolute; paths are relative to the snapshot")
    parts = path.split("/")
    if ".." in parts:
        raise _refused(path, "leads out of the snapshot (..)")
    if "" in parts or "." in parts:
        raise _refused(path, "has an empty or . part in its path")
    if len(path.encode()) > MAX_PATH_BYTES or max(len(part.encode()) for part in parts) > MAX_NAME_BYTES:
        raise _refused(
            path, f"has too long a path: at most {MAX_PATH_BYTES} bytes, {MAX_NAME_BYTES} for one file or folder"
        )
    if any(part != part.strip() or part.endswith(".") for part in parts):
        raise _refused(path, "has a name that begins or ends with a space, or ends with a dot")


def tree_digest(files: Mapping[str, str]) -> str:
    """SHA-256 over paths and contents, each with its length before it: no two trees share the bytes hashed."""
    hasher = hashlib.sha256(b"aarweb snapshot 1\n")
    for path, text in sorted(files.items()):
        for part in (path.encode(), text.encode()):
            hasher.update(b"%d:" % len(part) + part)
    return hasher.hexdigest()


def too_many_bytes() -> TooLarge:
    """The error for contents beyond the limit."""
    return TooLarge(
        f"more than {MAX_BYTES:,} bytes; a snapshot holds code and small tables, not data", pointer="#/files"
    )


def _claim(path: str, taken: dict[str, str]) -> None:
    """Keeps two names apart that some file system would take for one; a name is a file or a folder, not both.

    taken: folded name -> the spelling that claimed it, with a slash after folders.
    """
    parents = [f"{parent}/" for parent in PurePosixPath(path).parents if str(parent) != "."]
    for name in [path, *parents]:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.rstrip("/")).casefold())
        claimed = taken.setdefault(folded, name)
        if claimed != name:
            raise _refused(path, f"differs from {claimed} only in case or spelling, or is both a file and a folder")


def _text_bytes(path: str, text: str) -> int:
    if "\0" in text:
        raise _refused(path, "holds a NUL character; a snapshot holds text")
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise _refused(path, "holds half of a surrogate pair; a snapshot holds UTF-8 text") from error


def _refused(path: str, problem: str) -> InvalidInput:
    shown = path if len(path) <= MAX_PATH_BYTES else f"{path[:MAX_PATH_BYTES]}…"
    shown = shown.encode("utf-8", "backslashreplace").decode()
    escaped = shown.replace("~", "~0").replace("/", "~1")  # RFC 6901
    return InvalidInput(f"file {shown!r} {problem}", pointer=f"#/files/{escaped}")
