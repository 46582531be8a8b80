"""Where a lab keeps its state: everything lies in DATA_DIR, in folders that only its owner can enter."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aarweb.lab.errors import LabError

# sockaddr_un.sun_path holds 104 bytes on macOS and 108 on Linux, with the closing zero.
SOCKET_PATH_BYTES = 103
SOCKET_NAME = ".s.PGSQL.5432"


@dataclass(frozen=True)
class Paths:
    """The layout of one DATA_DIR."""

    data: Path

    @property
    def secrets(self) -> Path:
        return self.data / "secrets"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def run(self) -> Path:
        """What only a running lab needs: its lock, sockets, generated configuration, addresses."""
        return self.data / "run"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own files."""
        return self.data / "postgres"

    @property
    def lock(self) -> Path:
        return self.run / "lab.lock"

    @property
    def addresses(self) -> Path:
        """DATABASE_URL and REDIS_URL of the running lab, for commands typed in another terminal."""
        return self.run / "addresses"

    @property
    def sockets(self) -> Path:
        """The folder of PostgreSQL's socket: in DATA_DIR, or under /tmp when that path is too long for a socket."""
        if len(os.fsencode(self.run / SOCKET_NAME)) <= SOCKET_PATH_BYTES:
            return self.run
        name = f"aarweb-{os.geteuid()}-{hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]}"
        for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - made 0700 and checked for its owner
            if len(os.fsencode(parent / name / SOCKET_NAME)) <= SOCKET_PATH_BYTES:
                return parent / name
        raise LabError(f"DATA_DIR={self.data} is too long for a socket, and so is TMPDIR: choose a shorter one.")

    def create(self) -> None:
        """Makes the folders that are missing.

        Raises: LabError if one cannot be made, or if the socket folder under /tmp is not ours alone.
        """
        for folder in (self.data, self.secrets, self.logs, self.run, self.sockets):
            private_folder(folder)
        status = self.sockets.lstat()
        if self.sockets != self.run and (status.st_uid != os.geteuid() or status.st_mode & 0o077):
            raise LabError(f"{self.sockets} belongs to somebody else: remove it, or choose a shorter DATA_DIR.")


def private_folder(folder: Path) -> None:
    """Makes a folder and its missing parents with mode 0700; folders that exist are left as they are."""
    try:
        missing = [folder, *folder.parents]
        missing = missing[: next(i for i, path in enumerate(missing) if path.exists())]
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
        if not folder.is_dir():
            raise NotADirectoryError(20, "is a file, not a folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "cannot be written")
    except OSError as error:
        raise LabError(
            f"The lab cannot keep its state in {folder} ({error.strerror}): choose another place with DATA_DIR=..."
        ) from error


def private_file(path: Path, content: str) -> None:
    """Writes a file of mode 0600 whole or not at all."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
