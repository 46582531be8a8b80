"""Sandboxes that have loaded torch and wait for their one task, so that nobody waits for two seconds of imports."""

import contextlib
import os
import socket
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import sandbox
from sandbox import Limits, Mount, Sandboxed, SandboxUnavailable
from workers.code_method import wire
from workers.code_method.decoy import Decoys

START_SECONDS = 120.0  # a cold disk reads torch in half a minute
IDLE_SECONDS = 300.0  # a waiting sandbox holds 150 MB
# Loading torch takes a core for 1.1 s, a run of a probe half of that: with cores to spare, more than one gets ready
KEPT_READY = max(1, min(4, (os.cpu_count() or 1) // 4))
_CHILD = "workers/code_method/child.py"
# All of ours that is in there: what method code may import, and the child that runs it
PROJECT = (
    *sandbox.PROJECT,
    _CHILD,
    "workers/code_method/labels.py",
    "workers/code_method/shapes.py",
    "workers/code_method/wire.py",
)


class Child:
    """A sandbox that runs child.py, and the channel to it. Made ready for one task, then thrown away."""

    def __init__(self, limits: Limits) -> None:
        """Starts it; `wait_ready` says when it is up. Raises: SandboxUnavailable."""
        self.channel, inner = socket.socketpair()
        self.decoys = Decoys()
        try:
            self.sandbox = Sandboxed(
                [sandbox.interpreter().executable, "-I", "-S", "-u", f"{sandbox.LAB}/{_CHILD}", str(inner.fileno())],
                limits=limits,
                mounts=(*_mounts(), *self.decoys.mounts),
                environment=_environment(),
                pass_fds=[inner.fileno()],
                armed=False,
            )
        except BaseException:
            self.channel.close()
            self.decoys.close()
            raise
        finally:
            inner.close()

    def wait_ready(self) -> None:
        """Raises: SandboxUnavailable if it does not come up, with what it said."""
        self.channel.settimeout(START_SECONDS)
        with contextlib.suppress(OSError):
            if self.channel.recv(wire.HEADER.size) == wire.HEADER.pack(wire.READY, 0):
                return
        self.sandbox.end()
        ended = self.sandbox.wait()
        raise SandboxUnavailable(f"Python did not start in the sandbox ({ended.sentence()}): {ended.output[-500:]}")

    def close(self) -> None:
        """Ends it, and waits until nothing of it is left."""
        self.channel.close()
        self.sandbox.end()
        self.sandbox.wait()
        self.decoys.close()


class WarmChildren:
    """Keeps children ready: started when one is taken, given up after IDLE_SECONDS without work.

    One thread starts them all and lives on: the kernel ends a sandbox with the thread that made it.
    """

    def __init__(self, limits: Limits, kept_ready: int = KEPT_READY) -> None:
        self.limits = limits
        self._kept_ready = kept_ready
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="warm-sandboxes")
        self._lock = threading.Lock()
        self._waiting: deque[Future[Child]] = deque()
        self._idle = 0  # counts calls of `_keep_ready`, so that a timer knows whether it is the newest

    @contextlib.contextmanager
    def take(self) -> Iterator[Child]:
        """A child that is ready, thrown away afterwards. Raises: SandboxUnavailable."""
        child = self._ready()
        try:
            self._keep_ready()
            yield child
        finally:
            child.close()

    def close(self) -> None:
        """Ends those that wait, and the thread."""
        self._give_up()
        self._starter.shutdown()

    def _ready(self) -> Child:
        with self._lock:
            waiting = self._waiting.popleft() if self._waiting else None
        if waiting is not None:
            with contextlib.suppress(SandboxUnavailable):  # it died meanwhile; a fresh one says why, if it does too
                return _up(waiting.result())
        return _up(self._starter.submit(Child, self.limits).result())

    def _keep_ready(self) -> None:
        with self._lock:
            self._idle += 1
            while len(self._waiting) < self._kept_ready:
                self._waiting.append(self._starter.submit(Child, self.limits))
            timer = threading.Timer(IDLE_SECONDS, self._give_up, kwargs={"idle": self._idle})
        timer.daemon = True
        timer.start()

    def _give_up(self, idle: int | None = None) -> None:
        with self._lock:
            if idle is not None and idle != self._idle:
                return
            waiting, self._waiting = self._waiting, deque()
        for child in waiting:
            with contextlib.suppress(SandboxUnavailable):
                child.result().close()


def _up(child: Child) -> Child:
    child.wait_ready()
    return child


@cache
def _mounts() -> tuple[Mount, ...]:
    return (*sandbox.project(PROJECT), *sandbox.packages())


def _environment() -> dict[str, str]:
    threads = os.environ.get("OMP_NUM_THREADS") or str(min(16, os.cpu_count() or 1))
    return {
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MALLOC_ARENA_MAX": "4",  # address space is limited, and each arena of the C library reserves 64 MiB
        "TORCHINDUCTOR_CACHE_DIR": "/tmp/inductor",  # noqa: S108 - its own
        "USER": "researcher",
    }
