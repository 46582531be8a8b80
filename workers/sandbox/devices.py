"""Device nodes that a sandbox cannot spoil for the machine.

The nodes in /dev belong to root. Where the worker is root, so is, to the kernel, what runs in a sandbox, and an owner
may take everybody's rights to /dev/null away. So root's sandboxes get nodes of their own, which belong to nobody.
"""

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

NAMES = ("null", "zero", "full", "random", "urandom", "tty")
_NOBODY = 65534


class NoDevices(RuntimeError):
    """Root that may not make device nodes."""


@cache
def safe_nodes() -> Path | None:
    """A folder with nodes that belong to nobody; None where those in /dev are not ours to change.

    Raises: NoDevices.
    """
    if Path("/dev/null").stat().st_uid != os.geteuid():
        return None
    problem: OSError | None = None
    for place in (tempfile.gettempdir(), "/dev"):  # the first may be mounted without devices
        folder = Path(tempfile.mkdtemp(prefix="aarweb-nodes-", dir=place))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        try:
            _make(folder)
            (folder / "null").write_bytes(b"x")
        except OSError as error:
            problem = error
        else:
            return folder
    raise NoDevices(f"root may not make device nodes here: {problem}") from problem


def _make(folder: Path) -> None:
    for name in NAMES:
        like = Path("/dev", name).stat()
        os.mknod(folder / name, like.st_mode, like.st_rdev)
        (folder / name).chmod(0o666)
        os.chown(folder / name, _NOBODY, _NOBODY)
