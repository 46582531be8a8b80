"""Processes of a lab for a benchmark: started as `manage.py up` starts them, on the services of scratch_lab()."""

import http.client
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

HOST = "127.0.0.1"
START_SECONDS = 60.0


@contextmanager
def running(*names: str, web: bool = False, **more: str) -> Iterator[tuple[int, dict[str, psutil.Process]]]:
    """Workers by the names that `manage.py up` gives them, and the web server if asked for.

    more: environment variables. Yields: the web server's port (0 without one), and the processes by name.
    """
    from aarweb.lab import programs
    from aarweb.lab.paths import Paths
    from aarweb.lab.processes import Group

    paths = Paths(Path(os.environ["DATA_DIR"]))
    services = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    variables = {**programs.environment(paths, services), "LOG_LEVEL": "WARNING", **more}
    port, group = 0, Group()
    try:
        if web:
            with socket.socket() as free:
                free.bind((HOST, 0))
                port = free.getsockname()[1]
            group.start(programs.web(variables, HOST, port), _show)
        for each in programs.background(variables):
            if each.name in names:
                group.start(each, _show)
        if web:
            wait_for(lambda: _answers(port), "the web server answers")
        yield port, {name: psutil.Process(started.process.pid) for name, started in group.running.items()}
    finally:
        group.stop(list(group.running), seconds=10.0)
        group.close()


def wait_for(condition: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
    """Until it is true; ends the benchmark if that takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


def quantile(values: list[float], share: float) -> float:
    """The value below which that share of them lies."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def _show(line: str) -> None:
    print(f"  | {line}", file=sys.stderr)
