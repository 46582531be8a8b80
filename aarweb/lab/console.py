"""What the person at the terminal sees, and what the log files keep."""

import logging
import logging.handlers
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

LOG_BYTES = 5 * 2**20
LOG_FILES = 3  # rotated ones beside the current
_COLOURS = (36, 33, 32, 35, 34, 96, 93)
_NAME_WIDTH = 17  # worker-evaluation


class Console:
    """Steps with their times, then lines prefixed with the name of the process that wrote them."""

    def __init__(self, logs: Path, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        encoding = (self._out.encoding or "ascii").lower().replace("-", "")
        self._tick, self._cross = ("✓", "✗") if encoding == "utf8" else ("ok", "failed:")
        self._colour = self._out.isatty() and "NO_COLOR" not in os.environ
        self._logs = logs
        self._files: dict[str, logging.Handler] = {}
        self._names: list[str] = []
        self._lock = threading.Lock()

    def say(self, text: str = "") -> None:
        """A line of the lab's own."""
        with self._lock:
            self._write(text)

    def fail(self, text: str) -> None:
        """What ends the start."""
        self.say(f"{self._paint(self._cross, 31)} {text}")

    def done(self, what: str, seconds: float) -> None:
        """A finished step."""
        self.say(f"{self._paint(self._tick, 32)} {what:<42} {seconds:5.1f} s")

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Prints the step with its time when it has succeeded."""
        started = time.monotonic()
        yield
        self.done(what, time.monotonic() - started)

    def log(self, name: str, line: str, *, show: bool = True) -> None:
        """A line that a process wrote: into its file, and onto the terminal if it is to be shown."""
        with self._lock:
            if name not in self._files:
                path = self._logs / f"{name}.log"
                self._files[name] = logging.handlers.RotatingFileHandler(
                    path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8"
                )
                self._names.append(name)
            self._files[name].emit(logging.makeLogRecord({"msg": line}))
            if show and line.strip():
                colour = _COLOURS[self._names.index(name) % len(_COLOURS)]
                self._write(f"{self._paint(f'{name:<{_NAME_WIDTH}}', colour)} {line}")

    def tail(self, name: str, lines: int) -> list[str]:
        """The last lines of a process's file."""
        path = self._logs / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:] if path.exists() else []

    def _paint(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text

    def _write(self, text: str) -> None:
        encoding = self._out.encoding or "ascii"
        try:
            self._out.write(text.encode(encoding, "replace").decode(encoding) + "\n")
            self._out.flush()
        except (OSError, ValueError):  # the terminal is gone; the log files go on
            return
