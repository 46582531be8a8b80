"""Lowers its own limits, then becomes the program; runs inside the sandbox, before anything untrusted.

    python limits.py CPU_SECONDS MEMORY_BYTES PROCESSES FILE_BYTES OPEN_FILES PROGRAM [ARGUMENT ...]

Inside, because the kernel counts processes per user and user namespace: set outside, the limit would count everything
that this account runs on the machine. Stdlib only: it starts in 15 ms.
"""

import os
import resource
import sys

_SECOND_THOUGHT = 5  # seconds between SIGXCPU, which may be ignored, and SIGKILL, which may not


def lower(cpu_seconds: int, memory_bytes: int, processes: int, file_bytes: int, open_files: int) -> None:
    """For this process and all that come out of it; none can be raised again. 0 memory_bytes: no limit."""
    _lower(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + _SECOND_THOUGHT)
    _lower(resource.RLIMIT_NPROC, processes)
    _lower(resource.RLIMIT_FSIZE, file_bytes)
    _lower(resource.RLIMIT_NOFILE, open_files)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_MEMLOCK, 0)
    _lower(resource.RLIMIT_MSGQUEUE, 0)
    if memory_bytes:
        _lower(resource.RLIMIT_AS, memory_bytes)


def _lower(kind: int, soft: int, hard: int | None = None) -> None:
    """Never above the limit that is there already, which only root could raise."""
    hard = soft if hard is None else hard
    _, highest = resource.getrlimit(kind)
    if highest != resource.RLIM_INFINITY:
        hard = min(hard, highest)
    resource.setrlimit(kind, (min(soft, hard), hard))


if __name__ == "__main__":
    lower(*map(int, sys.argv[1:6]))
    os.execv(sys.argv[6], sys.argv[6:])  # noqa: S606 - no shell is the point
