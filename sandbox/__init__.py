"""Walls around code that nobody has read: bubblewrap, system-call filter, limits, and a watcher. Stdlib only."""

import subprocess
import threading
import time

from sandbox.environment import LAB, PACKAGES, PLACE, PROJECT, ROOT, Mount, interpreter, packages, project
from sandbox.process import Ended, Reason, Sandboxed, SandboxUnavailable
from sandbox.walls import WORKSPACE, Limits

__all__ = [
    "LAB",
    "PACKAGES",
    "PLACE",
    "PROJECT",
    "ROOT",
    "WORKSPACE",
    "Ended",
    "Limits",
    "Mount",
    "Reason",
    "SandboxUnavailable",
    "Sandboxed",
    "available",
    "interpreter",
    "packages",
    "project",
]

_RETRY_SECONDS = 60.0
_lock = threading.Lock()
_last: tuple[float, str | None] | None = None  # when it was tried, and what came out

# What bubblewrap prints, and what an operator can do about it
_CAUSES = {
    "No permissions to create new namespace": "this system does not let ordinary users make namespaces"
    " (sysctl kernel.unprivileged_userns_clone=1)",
    "setting up uid map: Permission denied": "AppArmor forbids user namespaces to this bwrap: install the system's"
    " bubblewrap, or set kernel.apparmor_restrict_unprivileged_userns=0",
    "Creating new namespace failed": "this system or container does not let us make namespaces (in Docker:"
    " --security-opt seccomp=unconfined, or --cap-add SYS_ADMIN)",
    "Can't mount proc": "this container masks /proc, so no sandbox of its own can have one (in Docker:"
    " --security-opt systempaths=unconfined)",
    "PR_SET_SECCOMP": "this kernel does not take system-call filters (CONFIG_SECCOMP_FILTER)",
}


def available() -> str | None:
    """Why no sandbox can be made on this machine, as a sentence; None if one can. Tried for real, then remembered."""
    global _last  # noqa: PLW0603 - remembered for the process: trying takes 50 ms
    with _lock:
        if _last is None or (_last[1] is not None and time.monotonic() - _last[0] > _RETRY_SECONDS):
            _last = (time.monotonic(), _try())
        return _last[1]


def _try() -> str | None:
    try:
        limits = Limits(wall_seconds=20, memory_bytes=2**30)
        sandbox = Sandboxed([interpreter().executable, "-I", "-S", "-c", "print('inside')"], limits=limits)
        ended = sandbox.wait(30)
    except SandboxUnavailable as error:
        return str(error)
    except (OSError, subprocess.SubprocessError) as error:
        return f"a sandbox could not be tried: {error}"
    if ended.status == 0 and ended.output == "inside\n":
        return None
    said = ended.output.strip().splitlines()[-1:] or [ended.sentence()]
    cause = next((cause for text, cause in _CAUSES.items() if text in ended.output), None)
    return f"no sandbox can be made here: {cause or said[0]}" + (f" ({said[0]})" if cause else "")
