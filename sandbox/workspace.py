"""Files of a workspace that a sandbox writes to, read and written from outside without following where a link leads.

What runs inside may put a link in the place of a file or a folder at any moment, also between a check and a use. So no
path is ever handed to the system as a whole: each folder on the way is opened from the one before it, without
following links, and what is opened is what is looked at.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not waiting for the other end: opening a pipe would
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class WorkspaceError(Exception):
    """A path that is no plain file of the workspace; the message is for whoever asked."""


class Workspace:
    """The folder that sandboxes see as /workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, path: str, max_bytes: int) -> bytes:
        """At most `max_bytes` from the start of a file. Raises: WorkspaceError."""
        with self._parent(path) as (parent, name), _told(path):
            fd = os.open(name, _READ, dir_fd=parent)
            with os.fdopen(fd, "rb") as file:
                _refuse_special(path, fd)
                return file.read(max_bytes)

    def write(self, path: str, content: bytes) -> None:
        """Replaces or makes a file, and the folders on the way. Raises: WorkspaceError."""
        with self._parent(path, make=True) as (parent, name), _told(path):
            fd = os.open(name, _WRITE, 0o644, dir_fd=parent)
            with os.fdopen(fd, "wb") as file:
                _refuse_special(path, fd)
                os.ftruncate(fd, 0)
                file.write(content)

    def files(self, max_files: int) -> Iterator[str]:
        """Paths of the regular files, sorted within each folder; links and special files are passed over.

        Raises: WorkspaceError beyond `max_files` entries.
        """
        left = [max_files]
        top = os.open(self.folder, _FOLDER)
        try:
            yield from self._below(top, "", left)
        finally:
            os.close(top)

    def tree(self, *, max_files: int, max_bytes: int) -> dict[str, bytes]:
        """Path -> content of all regular files. Raises: WorkspaceError beyond either limit."""
        found: dict[str, bytes] = {}
        left = max_bytes
        for path in self.files(max_files):
            content = self.read(path, left + 1)
            left -= len(content)
            if left < 0:
                raise WorkspaceError(f"the workspace holds more than {max_bytes:,} bytes")
            found[path] = content
        return found

    def _below(self, folder: int, prefix: str, left: list[int]) -> Iterator[str]:
        for name in sorted(os.listdir(folder)):
            left[0] -= 1
            if left[0] < 0:
                raise WorkspaceError("the workspace holds too many files")
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
                if stat.S_ISREG(kind):
                    yield prefix + name
                elif stat.S_ISDIR(kind):
                    below = _open_folder(name, folder)
                    try:
                        yield from self._below(below, f"{prefix}{name}/", left)
                    finally:
                        os.close(below)

    @contextlib.contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """(descriptor of the folder that holds it, its name)."""
        parts = path.removeprefix("/workspace/").split("/")
        if "\0" in path or any(part in ("", ".", "..") for part in parts):
            raise WorkspaceError(f"{path!r} is no path inside the workspace")
        with _told(path):
            folder = os.open(self.folder, _FOLDER)
        try:
            for part in parts[:-1]:
                with _told(path):
                    if make:
                        with contextlib.suppress(FileExistsError):
                            os.mkdir(part, 0o755, dir_fd=folder)
                    below = _open_folder(part, folder)
                os.close(folder)
                folder = below
            yield folder, parts[-1]
        finally:
            os.close(folder)


def _open_folder(name: str, folder: int) -> int:
    return os.open(name, _FOLDER, dir_fd=folder)


def _refuse_special(path: str, fd: int) -> None:
    facts = os.fstat(fd)
    if not stat.S_ISREG(facts.st_mode):
        raise WorkspaceError(f"{path!r} is no regular file")
    if facts.st_nlink > 1:  # a second name may be one outside
        raise WorkspaceError(f"{path!r} has more than one name (hard link)")


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # ELOOP is what O_NOFOLLOW says to a link; ENXIO a pipe without a reader
        problem = (
            "is or leads through a link" if error.errno == errno.ELOOP else (error.strerror or "cannot be used").lower()
        )
        raise WorkspaceError(f"{path!r}: {problem}") from error
