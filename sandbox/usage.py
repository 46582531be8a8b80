"""What a running sandbox uses, read from /proc: the part of its limits that the kernel does not enforce for us.

As an ordinary user the kernel counts processes (RLIMIT_NPROC); root is exempt from that, so somebody has to look.
Memory is limited for each process; of all together, somebody has to look as well.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Used:
    """tasks: processes and threads. memory_bytes: their own pages, not those of files they map."""

    tasks: int
    memory_bytes: int


def of_tree(pid: int, *, stop_at: int) -> Used:
    """A process and its descendants; counting stops once there are more than `stop_at` tasks."""
    tasks, memory, waiting = 0, 0, [pid]
    while waiting and tasks <= stop_at:
        current = waiting.pop()
        with suppress(OSError, ValueError):  # it may end at any moment
            threads, anonymous = _status(current)
            tasks += threads
            memory += anonymous
            for thread in os.listdir(f"/proc/{current}/task"):  # noqa: PTH208 - a hot path
                with suppress(OSError):
                    waiting += map(int, Path(f"/proc/{current}/task/{thread}/children").read_text("ascii").split())
    return Used(tasks, memory)


def _status(pid: int) -> tuple[int, int]:
    """(threads, bytes of anonymous memory, swapped out or not) of one process."""
    threads, anonymous = 1, 0
    for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
        name, _, value = line.partition(":")
        if name == "Threads":
            threads = int(value)
        elif name in ("RssAnon", "VmSwap"):
            anonymous += int(value.split()[0]) * 1024
    return threads, anonymous


def made_files(pid: int, places: Sequence[str], size_bytes: int) -> int:
    """Files in these memory-backed folders of the sandbox; each costs kernel memory that their size does not count.

    size_bytes: what they were made with, by which they are told from folders of the machine.
    0 where we may not look (an ordinary user without ptrace rights): the folders' sizes still hold.
    """
    made = 0
    for place in places:
        with suppress(OSError):
            space = os.statvfs(f"/proc/{pid}/root/{place}")
            if abs(space.f_blocks * space.f_frsize - size_bytes) <= space.f_frsize:
                made += space.f_files - space.f_ffree
    return made


def unlinked_bytes(pid: int, device: int) -> int:
    """On disk, in files of that device that a process and its descendants hold open but that have no name any more.

    0 where we may not look.
    """
    sizes: dict[int, int] = {}
    for process in _family(pid):
        with suppress(OSError):
            for descriptor in os.listdir(f"/proc/{process}/fd"):  # noqa: PTH208 - a hot path
                with suppress(OSError):
                    facts = os.stat(f"/proc/{process}/fd/{descriptor}")  # noqa: PTH116 - a hot path
                    if facts.st_nlink == 0 and facts.st_dev == device:
                        sizes[facts.st_ino] = facts.st_blocks * 512
    return sum(sizes.values())


def _family(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        with suppress(OSError, ValueError):
            for thread in os.listdir(f"/proc/{current}/task"):  # noqa: PTH208 - a hot path
                with suppress(OSError):
                    waiting += map(int, Path(f"/proc/{current}/task/{thread}/children").read_text("ascii").split())
    return found
