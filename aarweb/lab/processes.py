"""The processes of a lab: each leads its own group, and none outlives the lab."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from aarweb.lab.environment import without_key

WATCHDOG = Path(__file__).with_name("watchdog.py")
WATCHDOG_TRIES = 5  # one that cannot live is worth an end with its reason


@dataclass(frozen=True)
class Program:
    """What to start, and how to end it."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    folder: Path
    stop_signal: int = signal.SIGTERM


class Running:
    """One started program and the thread that carries its output away."""

    def __init__(self, program: Program, process: "subprocess.Popen[bytes]", sink: Callable[[str], None]) -> None:
        self.program = program
        self.process = process
        self.started_at = time.monotonic()
        self._reader = threading.Thread(target=self._read, args=(sink,), name=f"log-{program.name}", daemon=True)
        self._reader.start()

    def _read(self, sink: Callable[[str], None]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            sink(line.decode("utf-8", "replace").rstrip("\n"))

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def signal_group(self, number: int) -> None:
        """To the program and everything it started; no effect once all have ended."""
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            return

    def drain(self) -> None:
        """Waits for the last lines of an ended program; a grandchild that holds the pipe open is not waited for."""
        self._reader.join(timeout=0.5)


class Group:
    """The processes that one lab runs, with the watchdog that ends them if this process cannot."""

    def __init__(self, lock_descriptor: int | None = None) -> None:
        self.running: dict[str, Running] = {}
        self._lock_descriptor = lock_descriptor
        self._starting = threading.Lock()  # services are started side by side
        self._watchdog = self._start_watchdog()

    def _start_watchdog(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(WATCHDOG)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=without_key(os.environ),
            pass_fds=() if self._lock_descriptor is None else (self._lock_descriptor,),
        )

    def _tell(self, line: str) -> None:
        """A watchdog that was killed since anybody looked is renewed and told again, or its end would be the lab's."""
        for last in (False,) * (WATCHDOG_TRIES - 1) + (True,):
            assert self._watchdog.stdin is not None
            try:
                self._watchdog.stdin.write(line.encode() + b"\n")
                self._watchdog.stdin.flush()
            except BrokenPipeError:
                if last:
                    raise
                self._watchdog.wait()
                self.renew_watchdog()
            else:
                return

    def renew_watchdog(self) -> None:
        """Puts a new watchdog in the place of one that was killed."""
        if self._watchdog.poll() is None:
            return
        with suppress(BrokenPipeError):  # what it was still to be told
            if self._watchdog.stdin is not None:
                self._watchdog.stdin.close()
        self._watchdog = self._start_watchdog()
        for running in self.running.values():
            self._tell(f"add {running.process.pid} {running.program.stop_signal:d}")

    def start(self, program: Program, sink: Callable[[str], None]) -> Running:
        """Starts a program in a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone.

        sink: is given each line that it prints, in a thread.
        """
        with self._starting:
            self.renew_watchdog()
            process = subprocess.Popen(
                program.command,
                env=dict(program.environment),
                cwd=program.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._tell(f"add {process.pid} {program.stop_signal:d}")
            running = Running(program, process, sink)
            self.running[program.name] = running
        return running

    def forget(self, name: str) -> Running:
        """Takes an ended program off the list; what it left behind in its group is killed."""
        running = self.running.pop(name)
        running.signal_group(signal.SIGKILL)
        running.drain()
        self._tell(f"remove {running.process.pid}")
        return running

    def stop(self, names: Iterable[str], *, seconds: float, hurry: Callable[[], bool] = lambda: False) -> list[str]:
        """Asks programs to end, waits, and kills those that have not ended in time or when `hurry` says so.

        Returns: the names of those that had to be killed.
        """
        stopping = [self.running[name] for name in names if name in self.running]
        for running in stopping:
            running.signal_group(running.program.stop_signal)
        deadline = time.monotonic() + seconds
        while any(not running.ended for running in stopping) and time.monotonic() < deadline and not hurry():
            time.sleep(0.05)
        late = [running.program.name for running in stopping if not running.ended]
        for running in stopping:
            running.signal_group(signal.SIGKILL)
            running.process.wait()
            self.forget(running.program.name)
        return late

    def close(self) -> None:
        """Ends whatever is left, at once, and the watchdog."""
        self.stop(list(self.running), seconds=0.0)
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.close()
        self._watchdog.wait()


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie that nobody has reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def find(pid: int) -> psutil.Process | None:
    """The running process of that number, if there is one."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
    return process if is_alive(process) else None


def wait_for_end(process: psutil.Process, seconds: float) -> bool:
    """Waits for a process that is not our child; whether it has ended in time."""
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
