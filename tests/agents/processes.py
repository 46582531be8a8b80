"""Processes of the lab on the test's database and broker: web, agents worker, clock; real ones that a test may kill."""

import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
START_SECONDS = 180


def environment(**more: str) -> dict[str, str]:
    """What a process of the lab needs to work on this test's database and broker."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return {
        **os.environ,
        "DATABASE_URL": database.geturl(),
        "REDIS_URL": settings.REDIS_URL,
        "LOG_LEVEL": "WARNING",
        **more,
    }


class LabServer:
    """with LabServer() as lab: lab.url"""

    def __init__(self, **variables: str) -> None:
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port = free.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self._variables = variables

    def __enter__(self) -> "LabServer":
        command = [
            sys.executable,
            "-m",
            "daphne",
            "-v",
            "0",
            "-b",
            HOST,
            "-p",
            str(self.port),
            "aarweb.asgi:application",
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment(**self._variables), start_new_session=True)
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, "the web process has ended"
            assert time.monotonic() < end, "the web process does not answer"
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _answers(self) -> bool:
        http = HTTPConnection(HOST, self.port, timeout=5)
        try:
            http.request("GET", "/healthz")
            return http.getresponse().status == 200
        except OSError:
            return False
        finally:
            http.close()


class Process:
    """A process in a group of its own, its output in a log that a failing test can show."""

    def __init__(self, command: list[str], log: Path, **variables: str) -> None:
        self.log = log
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment(**variables), stdout=log.open("ab"), stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    @property
    def ended(self) -> bool:
        """Whether it is gone, by whatever cause."""
        return self._process.poll() is not None

    def kill(self) -> int:
        """-9, as the machine's memory manager does. Returns: how it ended; -9 if it lived until now."""
        if not self.ended:
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()


def agents_worker(log: Path, *, threads: int = 4, **variables: str) -> Process:
    """A Celery worker of the agents queue, as `manage.py up` starts it."""
    command = [sys.executable, "-m", "celery", "-A", "aarweb", "--quiet", "worker", "-Q", "agents", "-n", "agents@test"]
    command += ["-l", "INFO", "--without-mingle", "--without-gossip", "--pool", "threads", "-c", str(threads)]
    return Process(command, log, DATABASE_POOL=str(threads + 8), **variables)
