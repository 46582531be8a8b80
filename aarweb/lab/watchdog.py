"""Ends a lab's processes when their supervisor is gone without having ended them: after kill -9, or out of memory.

It reads its standard input, a pipe whose only writer is the supervisor: `add PGID SIGNAL` and `remove PGID`, a line
each. The pipe's end means that the supervisor is dead; the kernel sees to that, whatever killed it. It holds the lab's
lock too, so the next start waits until everything of the last one has ended. Stdlib only, started with -I -S.
"""

import os
import signal
import sys
import time

PATIENCE_SECONDS = 6.0  # for a fast shutdown of PostgreSQL, and for workers to let go of their runs
AFTER_KILL_SECONDS = 2.0


def send(group: int, number: int) -> bool:
    """Sends a signal to a process group; False if the group has ended."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True


def alive(group: int) -> bool:
    """Whether a process of the group still runs. A zombie does not: some containers reap orphans late or never."""
    if not send(group, 0):
        return False
    if not os.path.isdir("/proc/self"):  # noqa: PTH112 - pathlib costs 10 ms here
        return True
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                state, _, process_group = file.read().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(process_group) == group and state not in "ZX":
            return True
    return False


def wait_for(groups: list[int], seconds: float) -> list[int]:
    """Waits until the groups have ended; those that have not in time are returned."""
    deadline = time.monotonic() + seconds
    while groups and time.monotonic() < deadline:
        time.sleep(0.05)
        groups = [group for group in groups if alive(group)]
    return groups


def main() -> None:
    """Keeps the list up to date while the supervisor lives; ends what is on it afterwards."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin:
        verb, group, *stop = line.split()
        if verb == "add":
            groups[int(group)] = int(stop[0])
        else:
            groups.pop(int(group), None)
    for group, stop_signal in reversed(groups.items()):
        send(group, stop_signal)
    left = wait_for(list(groups), PATIENCE_SECONDS)
    for group in left:
        send(group, signal.SIGKILL)
    wait_for(left, AFTER_KILL_SECONDS)


if __name__ == "__main__":
    main()
