"""Waits until an embedded service answers."""

import time
from collections.abc import Callable

from aarweb.lab.errors import LabError
from aarweb.lab.processes import Group, Program

_LAST_WORDS = 8  # lines of a server that does not come up


class NotYet(Exception):
    """It does not answer now; it may in a moment."""


def start_until(
    group: Group, program: Program, sink: Callable[[str], None], answers: Callable[[], None], *, within: float
) -> None:
    """Starts a server and returns when it answers. answers: raises NotYet while it does not. within: seconds.

    Raises: LabError with the server's last lines if it ends or does not answer in time.
    """
    last: list[str] = []

    def record(line: str) -> None:
        sink(line)
        last[:] = [*last[1 - _LAST_WORDS :], line]

    running = group.start(program, record)
    deadline = time.monotonic() + within
    while True:
        try:
            answers()
            return
        except NotYet as error:
            if running.ended or time.monotonic() > deadline:
                running.drain()
                raise LabError(f"{program.name} does not start:\n  " + "\n  ".join(last or [str(error)])) from error
        time.sleep(0.02)
