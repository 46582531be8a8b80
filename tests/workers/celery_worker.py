"""Real Celery workers on the test's database and broker, in processes of their own that a test may kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 3


class Worker:
    """One worker process; its log is kept for a failing test to show."""

    def __init__(self, queues: str, log: Path, cache_dir: Path) -> None:
        self.log = log
        database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
        environment = {
            **os.environ,
            "DATABASE_URL": database.geturl(),
            "REDIS_URL": settings.REDIS_URL,
            "FEATURE_CACHE_DIR": str(cache_dir),
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "REAPER_SECONDS": "1",
        }
        if "evaluation" not in queues:
            environment.pop("SEED_SECRET", None)
        command = [sys.executable, "-m", "celery", "-A", "aarweb", "worker", "-Q", queues, "-n", f"{queues}@test"]
        pool = ["--pool", "solo"] if queues == "gpu" else ["--pool", "threads", "-c", "2"]
        command += ["-I", "tests.workers.world", "-l", "INFO", "--without-mingle", "--without-gossip", *pool]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log.open("ab"), stderr=subprocess.STDOUT, start_new_session=True
        )

    def kill(self) -> None:
        """-9, as the machine's memory manager does."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """In order; killed if that takes too long."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.kill()

    def _signal(self, number: int) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        if number == signal.SIGKILL:
            self.process.wait()


class Crew:
    """One worker per queue, for many tests; one that a test has killed is replaced when it is next needed."""

    def __init__(self, folder: Path, cache_dir: Path) -> None:
        self._folder, self._cache_dir = folder, cache_dir
        self._workers: dict[str, Worker] = {}

    def start(self, *queues: str) -> list[Worker]:
        """Living workers of these queues."""
        for each in queues:
            if each not in self._workers or self._workers[each].process.poll() is not None:
                self._workers[each] = Worker(each, self._folder / f"{each}.log", self._cache_dir)
        return [self._workers[each] for each in queues]

    def stop(self) -> None:
        """All of them, in order."""
        for worker in self._workers.values():
            worker.stop()

    def print_logs(self) -> None:
        """For pytest to show beside a failure."""
        for worker in self._workers.values():
            print(f"--- {worker.log.name}\n{worker.log.read_text()[-6000:]}")


def wait_for(condition, seconds: float = 180.0, what: str = "the condition"):
    """The first true answer of `condition`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true within {seconds} seconds")
