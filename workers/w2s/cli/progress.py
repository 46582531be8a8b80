"""Progress on a terminal: one line per stage, rewritten in place; in a log, one line when a stage begins and ends."""

import time
from typing import TextIO

from workers.w2s.spec import Progress, Report


def progress_line(stream: TextIO) -> Report:
    """A report that writes to a stream, with the seconds since the stage began."""
    began: dict[str, float] = {}
    terminal = stream.isatty()

    def report(progress: Progress) -> None:
        first = progress.stage not in began
        started = began.setdefault(progress.stage, time.monotonic())
        done = progress.done >= progress.total
        text = f"{progress.stage}: {progress.done:,} of {progress.total:,}, {time.monotonic() - started:.0f} s"
        if terminal:
            stream.write(f"\r\x1b[K{text}" + ("\n" if done else ""))
        elif first or done:
            stream.write(f"{text}\n")
        stream.flush()
        if done:
            del began[progress.stage]

    return report
