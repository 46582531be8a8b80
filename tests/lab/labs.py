"""Whole labs for tests: `manage.py up` in a folder and on a port of their own."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 180
CACHE = Path(os.environ["DATA_DIR"]) / "features-of-labs"  # of this test session, whatever its process
# What the tests' own services and shell put there, and a lab must find out for itself.
_NOT_INHERITED = ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "SECRET_KEY", "SEED_SECRET", "PORT", "BIND", "PUBLIC_URL")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(data: Path, **more: str) -> dict[str, str]:
    """A lab's environment, without what the tests' own services have put into ours.

    Labs share one feature cache, so that the model's weights are unpacked and its states computed once for all tests.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    for name in ("DJANGO_SETTINGS_MODULE", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"):
        inherited.pop(name, None)
    common = {"DATA_DIR": str(data), "FEATURE_CACHE_DIR": str(CACHE), "PYTHONUNBUFFERED": "1"}
    return {**inherited, **common, **more}


def manage(*arguments: str, data: Path, timeout: float = 180, **more: str) -> subprocess.CompletedProcess[str]:
    """`manage.py ...`, as typed in another terminal; stdout and stderr together."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(data, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    )


def wait_until(true: Callable[[], object], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def as_account(account: tuple[int, int] | None) -> dict[str, Any]:
    """What subprocess needs to run something as this user and group."""
    return {} if account is None else {"user": account[0], "group": account[1], "extra_groups": []}


class Lab:
    """A running lab: its output, its processes, its address."""

    def __init__(self, data: Path, port: int | None = None, account: tuple[int, int] | None = None, **more: str):
        """account: the user and group to become, as root."""
        self.data = data
        self.port = port or free_port()
        self.lines: list[str] = []
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=environment(data, PORT=str(self.port), **more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
            **as_account(account),
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for_url(self) -> str:
        """The link that logs the owner in."""

        def printed() -> bool:
            assert self.process.poll() is None, f"the lab has ended:\n{self.text}"
            return "Ctrl-C stops everything" in self.text

        wait_until(printed, f"the login link; so far:\n{self.text}", START_SECONDS)
        self.seconds = time.monotonic() - self.started_at
        return re.search(rf"http://127\.0\.0\.1:{self.port}/login/\S+", self.text).group()

    def children(self) -> dict[str, psutil.Process]:
        """The supervisor's children by what they are: web, postgres, valkey, beat, worker-…, watchdog."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            try:
                line = " ".join(child.cmdline())
            except psutil.NoSuchProcess:
                continue
            worker = re.search(r"-n (worker-\w+)@", line)
            names = {
                "daphne": "web",
                "pginstall": "postgres",
                "valkey-server": "valkey",
                " beat": "beat",
                "watchdog": "watchdog",
            }
            name = worker.group(1) if worker else next((names[part] for part in names if part in line), None)
            if name and child.status() != psutil.STATUS_ZOMBIE:
                found[name] = child
        return found

    def everything(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def get(self, path: str, headers: dict[str, str] | None = None) -> int:
        """The status of a GET, 0 if nothing answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers=headers or {})
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ends it as Ctrl-C does, and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=120)


def survivors(processes: list[psutil.Process]) -> list[str]:
    """Those that still run; a zombie does not."""
    alive = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(f"{process.pid} {' '.join(process.cmdline())}")
        except psutil.NoSuchProcess:
            continue
    return alive
