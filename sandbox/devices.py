"""Device nodes that a sandbox cannot spoil for the machine.

The nodes in /dev belong to root. Where the worker is root, so is, to the kernel, what runs in a sandbox, and an owner
may take everybody's rights to /dev/null away. So root's sandboxes get nodes of their own, which belong to nobody: one
folder for the machine, made once.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path

NAMES = ("null", "zero", "full", "random", "urandom", "tty")
_FOLDER = "aarweb-sandbox-nodes"
_NOBODY = 65534


class NoDevices(RuntimeError):
    """Root that may not make device nodes."""


def safe_nodes() -> Path | None:
    """A folder with nodes that belong to nobody; None where those in /dev are not ours to change.

    Raises: NoDevices.
    """
    if Path("/dev/null").stat().st_uid != os.geteuid():
        return None
    places = [Path(place, _FOLDER) for place in (tempfile.gettempdir(), "/dev")]  # the first may allow no devices
    for folder in places:
        if _whole(folder):
            return folder
    problem: OSError | None = None
    for folder in places:
        try:
            return _made(folder)
        except OSError as error:
            problem = error
    raise NoDevices(f"root may not make device nodes here: {problem}") from problem


def _whole(folder: Path) -> bool:
    """Whether all nodes are there and nobody but root can have put them there: the place may be open to all."""
    try:
        facts = folder.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
            return False
        return all(_is_like(folder / name, Path("/dev", name)) for name in NAMES)
    except OSError:  # cleaners of temporary folders take nodes away
        return False


def _is_like(node: Path, original: Path) -> bool:
    facts, wanted = node.lstat(), original.stat()
    return stat.S_ISCHR(facts.st_mode) and facts.st_rdev == wanted.st_rdev and facts.st_uid == _NOBODY


def _made(folder: Path) -> Path:
    """The folder, made beside its place and moved there whole, since others may be making it as well."""
    fresh = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}-", dir=folder.parent))
    try:
        for name in NAMES:
            original = Path("/dev", name).stat()
            os.mknod(fresh / name, original.st_mode, original.st_rdev)
            (fresh / name).chmod(0o666)
            os.chown(fresh / name, _NOBODY, _NOBODY)
        (fresh / "null").write_bytes(b"x")  # fails where the file system is mounted without devices
        fresh.chmod(0o755)
        if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid():
            if _whole(folder):
                return folder
            shutil.rmtree(folder)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    if not _whole(folder):
        raise OSError(f"{folder} is not what was put there")
    return folder
