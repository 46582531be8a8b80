"""Folders in which archives are packed and unpacked; what a killed process left goes with the next one."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "aarweb-archive-"
_SETTLED = 60  # seconds; a younger folder may not have its lock yet


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder, gone afterwards. A lock on it tells others that its maker lives, whatever its process is called."""
    _sweep()
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, _opened(Path(name)) as folder:
        fcntl.flock(folder, fcntl.LOCK_SH)
        yield Path(name)


def _sweep() -> None:
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another's, or gone meanwhile, or locked: its maker lives
            found = left.lstat()
            if found.st_uid != os.getuid() or time.time() - found.st_ctime < _SETTLED:
                continue
            with _opened(left) as folder:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
