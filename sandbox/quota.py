"""How much a folder that sandboxes write to holds, and taking away what is too much.

Walked by descriptors, folder by folder, without following a link: what runs inside may swap one for the other.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_DEPTH = 40  # folders within folders; beyond a few hundred, paths are longer than the system takes
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Held:
    """What a folder holds. size_bytes: on disk. files: folders and links, too. hidden: some of it cannot be seen."""

    size_bytes: int
    files: int
    hidden: bool

    def exceeds(self, most_bytes: int, most_files: int) -> bool:
        """Whether that is too much; what cannot be seen always is."""
        return self.hidden or self.size_bytes > most_bytes or self.files > most_files


@dataclass(frozen=True, slots=True)
class _Entry:
    """path: names from the top. changed_ns: ctime, which nobody sets back. hidden: what is in it was not seen."""

    path: tuple[str, ...]
    is_folder: bool
    size_bytes: int
    changed_ns: int
    hidden: bool = False


def of_folder(folder: Path, *, most_bytes: int, most_files: int) -> Held:
    """Counts until it is more than that."""
    size, files = 0, 0
    try:
        with _opened(folder) as top:
            for entry in _walk(top, ()):
                size, files = size + entry.size_bytes, files + 1
                if entry.hidden or size > most_bytes or files > most_files:
                    return Held(size, files, entry.hidden)
    except PermissionError:  # closed by what ran in it
        return Held(size, files, hidden=True)
    return Held(size, files, hidden=False)


def trim(folder: Path, *, most_bytes: int, most_files: int) -> list[str]:
    """Takes away what was changed last, until no more than that is left. Returns: paths taken away.

    Nothing may run in there meanwhile.
    """
    taken: list[str] = []
    with _opened(folder, unlock=True) as top:
        entries = list(_walk(top, (), unlock=True))
        size, files = sum(entry.size_bytes for entry in entries), len(entries)
        for entry in [entry for entry in entries if entry.hidden]:
            _take(top, entry)
            taken.append("/".join(entry.path))
            size, files = size - entry.size_bytes, files - 1
        left = sorted(
            (entry for entry in entries if not entry.hidden), key=lambda entry: (-entry.changed_ns, -len(entry.path))
        )
        progress = True
        while progress and (size > most_bytes or files > most_files):  # again for folders that have become empty
            progress, kept = False, []
            for entry in left:
                if (size > most_bytes or files > most_files) and _take(top, entry):
                    taken.append("/".join(entry.path))
                    size, files, progress = size - entry.size_bytes, files - 1, True
                else:
                    kept.append(entry)
            left = kept
    return taken


def _walk(folder: int, path: tuple[str, ...], *, unlock: bool = False) -> Iterator[_Entry]:
    """Everything below, a folder before what is in it. unlock: make folders ours to look into."""
    with os.scandir(folder) as listing:
        for entry in listing:
            try:
                facts = entry.stat(follow_symlinks=False)
            except PermissionError:  # a folder that may be listed and not be entered
                yield _Entry((*path, entry.name), is_folder=False, size_bytes=0, changed_ns=0, hidden=True)
                continue
            except OSError:  # gone meanwhile
                continue
            is_folder = stat.S_ISDIR(facts.st_mode)
            made = (*path, entry.name)
            known = (made, is_folder, facts.st_blocks * 512, facts.st_ctime_ns)
            if not is_folder:
                yield _Entry(*known)
                continue
            try:
                below = None if len(made) > MOST_DEPTH else _enter(entry.name, folder, unlock=unlock)
            except PermissionError:
                below = None
            except OSError:  # gone meanwhile, or a link now
                continue
            yield _Entry(*known, hidden=below is None)
            if below is not None:
                try:
                    yield from _walk(below, made, unlock=unlock)
                finally:
                    os.close(below)


def _enter(name: str | Path, folder: int | None = None, *, unlock: bool) -> int:
    """A descriptor of the folder. unlock: to list, enter and change it, whatever its mode was. Raises: OSError."""
    if unlock:
        os.chmod(name, 0o700, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)


def _take(top: int, entry: _Entry) -> bool:
    """Removes one entry of a tree that stands still, a hidden folder with all in it. Returns: False if it has more."""
    with contextlib.ExitStack() as opened:
        parent = top
        for name in entry.path[:-1]:
            parent = os.open(name, _FOLDER, dir_fd=parent)
            opened.callback(os.close, parent)
        if entry.hidden:
            _remove_folder(parent, entry.path[-1])
        elif entry.is_folder:
            try:
                os.rmdir(entry.path[-1], dir_fd=parent)
            except OSError:
                return False
        else:
            os.unlink(entry.path[-1], dir_fd=parent)
    return True


def _remove_folder(parent: int, name: str) -> None:
    """However deep it is: folders within it are moved up beside it, and taken one by one."""
    waiting = [name]
    while waiting:
        current = waiting.pop()
        folder = _enter(current, parent, unlock=True)
        try:
            for inner in os.listdir(folder):  # noqa: PTH208 - of a descriptor
                if stat.S_ISDIR(os.stat(inner, dir_fd=folder, follow_symlinks=False).st_mode):
                    beside = f".removed-{secrets.token_hex(8)}"  # a name that nobody can have taken
                    os.chmod(inner, 0o700, dir_fd=folder)  # moving a folder writes to its ".."
                    os.rename(inner, beside, src_dir_fd=folder, dst_dir_fd=parent)
                    waiting.append(beside)
                else:
                    os.unlink(inner, dir_fd=folder)
        finally:
            os.close(folder)
        os.rmdir(current, dir_fd=parent)


@contextlib.contextmanager
def _opened(folder: Path, *, unlock: bool = False) -> Iterator[int]:
    descriptor = _enter(folder, unlock=unlock)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
