"""The lab's web process on the test's database: a real daphne on loopback, in a process of its own."""

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
START_SECONDS = 90


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
