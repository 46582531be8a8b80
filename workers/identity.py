"""Who this worker process is, as rows name it."""

import os
import socket
from contextvars import ContextVar

_name: ContextVar[str] = ContextVar("worker_name", default="")
_known: dict[str, str] = {}


def set_worker_name(name: str) -> None:
    """Celery's name of this process, such as "worker-gpu@host"; set once, at the start."""
    _known["name"] = name


def worker_name() -> str:
    """The name; of a process that Celery did not start, host and process number."""
    return _known.get("name") or f"{socket.gethostname()}-{os.getpid()}"
