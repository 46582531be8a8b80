"""Starts a lab, keeps its processes running, and ends all of them when told to."""

import json
import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from types import FrameType

from aarweb.lab import ports, programs
from aarweb.lab.console import Console
from aarweb.lab.errors import LabError
from aarweb.lab.lock import Lock
from aarweb.lab.paths import Paths
from aarweb.lab.postgres import Postgres
from aarweb.lab.processes import Group, Program
from aarweb.lab.services import Services, masked
from aarweb.lab.valkey import Valkey

STOP_SECONDS = 10.0
WEB_SECONDS = 120.0  # a slow disk at the first start; a healthy machine takes two
FREE_BYTES = 500 * 2**20  # PostgreSQL keeps up to 512 MB of log; without room it stops in the middle of work


class Interrupted(BaseException):
    """Ctrl-C, or a request to end, while the lab was still starting."""


@dataclass
class Backoff:
    """How long to wait before a process that died is started again. Times are monotonic, in seconds."""

    least: float = 0.5
    most: float = 30.0
    healthy_after: float = 60.0
    _delay: float = field(default=0.0, init=False)

    def next(self, ran_for: float) -> float:
        """The delay after a process that ran this long: doubles while it keeps dying early."""
        fresh = self._delay == 0.0 or ran_for >= self.healthy_after
        self._delay = self.least if fresh else min(self._delay * 2, self.most)
        return self._delay


@dataclass
class Supervised:
    """A program that is to run as long as the lab does."""

    program: Program
    service: Postgres | Valkey | None = None
    backoff: Backoff = field(default_factory=Backoff)
    due_at: float | None = None


class Supervisor:
    """One lab: its services, its processes and the terminal."""

    def __init__(self, paths: Paths, console: Console, *, bind: str, port: int, public_url: str) -> None:
        """public_url: what the login link begins with."""
        self.paths = paths
        self.console = console
        self.bind = bind
        self.port = port
        self.public_url = public_url.rstrip("/")
        self._signals = 0
        self._starting = True
        self._group: Group | None = None
        self._supervised: dict[str, Supervised] = {}

    def run(self) -> int:
        """Runs the lab until it is told to end. Returns: the exit code, 1 if it could not start."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        lock: Lock | None = None
        services: Services | None = None
        try:
            ports.check(self.bind, self.port)
            lock = Lock(self.paths)
            self._check_disk()
            self._group = Group(lock.descriptor)
            services = Services(
                self.paths,
                database_url=os.environ.get("DATABASE_URL", ""),
                redis_url=os.environ.get("REDIS_URL", ""),
            )
            self._start(services, self._group)
            self._starting = False
            while not self._signals:
                self._look(self._group)
                time.sleep(0.2)
        except LabError as error:
            if self._signals:  # what was killed in a hurry could not start
                return 0
            self.console.fail(str(error))
            return 1
        except Interrupted:
            return 0
        finally:
            self._starting = False
            self._stop(services)
            if lock is not None:
                lock.release()
        return 0

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        if self._starting and self._group is None:
            raise Interrupted  # later only `_go_on` does, never between a program's start and its entry on the list
        if self._signals > 1 and self._group is not None:
            for running in list(self._group.running.values()):
                running.signal_group(signal.SIGKILL)

    def _go_on(self) -> None:
        """Raises: Interrupted, once we were told to end."""
        if self._signals:
            raise Interrupted

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self.paths.data).free
        if free < FREE_BYTES:
            raise LabError(
                f"Only {free / 2**20:.0f} MB are free in {self.paths.data}, and the lab needs {FREE_BYTES / 2**20:.0f}:"
                " make room, or choose another place with DATA_DIR=..."
            )

    def _start(self, services: Services, group: Group) -> None:
        started = time.monotonic()
        with self.console.step(" and ".join(_names(services))):
            services.start(group, lambda name, line: self.console.log(name, line, show=False))
            self._go_on()
        for service in services.embedded:
            program = service.program()
            self._supervised[program.name] = Supervised(program, service)
        variables = programs.environment(self.paths, services.environment)
        link = self._prepare(programs.prepare(variables), group)
        with self.console.step("Web server"):
            self._launch(programs.web(variables, self.bind, self.port), group)
            self._wait_for_web(group)
        for program in programs.background(variables):
            self._go_on()
            self._launch(program, group)
        self.console.say()
        self.console.say(f"  {self.public_url}{link}")
        self.console.say()
        self.console.say(f"The link logs you in once. Ready after {time.monotonic() - started:.1f} s.")
        self.console.say(f"State and logs are in {self.paths.data}. Ctrl-C stops everything.")

    def _prepare(self, program: Program, group: Group) -> str:
        """Runs `manage.py prepare`, relays its steps, returns the path of the login link."""
        link: list[str] = []

        def relay(line: str) -> None:
            try:
                report = json.loads(line)
                if "step" in report:
                    self.console.done(report["step"], report["seconds"])
                else:
                    link.append(report["login"])
            except (ValueError, TypeError, KeyError):
                self.console.log(program.name, line, show=False)

        running = group.start(program, relay)
        while not running.ended:
            self._go_on()
            time.sleep(0.02)
        group.forget(program.name)
        if running.process.returncode or not link:
            raise LabError(self._last_words(program.name, "The database cannot be brought up to date"))
        return link[0]

    def _wait_for_web(self, group: Group) -> None:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind, self.bind)  # noqa: S104 - compared, not bound
        deadline = time.monotonic() + WEB_SECONDS
        while time.monotonic() < deadline and not group.running[programs.WEB].ended:
            self._go_on()
            connection = HTTPConnection(host, self.port, timeout=5)
            try:
                connection.request("GET", "/healthz", headers={"Host": "127.0.0.1"})
                # with ALLOWED_HOSTS set, 127.0.0.1 may be refused (400): it answers all the same
                if connection.getresponse().status < 500:
                    return
            except (OSError, HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.05)
        raise LabError(self._last_words(programs.WEB, "The web server does not answer"))

    def _last_words(self, name: str, sentence: str) -> str:
        lines = self.console.tail(name, 15)
        return "\n  ".join([f"{sentence}. Its last lines ({self.paths.logs / name}.log):", *lines])

    def _launch(self, program: Program, group: Group) -> None:
        self._supervised.setdefault(program.name, Supervised(program))
        shown = self._supervised[program.name].service is None
        group.start(program, lambda line: self.console.log(program.name, line, show=shown))

    def _look(self, group: Group) -> None:
        """Takes note of what has died, and starts what is due again."""
        group.renew_watchdog()
        now = time.monotonic()
        for name, supervised in self._supervised.items():
            running = group.running.get(name)
            if running is not None and running.ended:
                group.forget(name)
                delay = supervised.backoff.next(now - running.started_at)
                supervised.due_at = now + delay
                self.console.say(f"{name} ended ({_reason(running.process.returncode)}); again in {delay:.1f} s")
            elif running is None and supervised.due_at is not None and now >= supervised.due_at:
                self._restart(supervised, group)

    def _restart(self, supervised: Supervised, group: Group) -> None:
        try:
            if supervised.service is not None:
                supervised.service.prepare()
            self._launch(supervised.program, group)
        except (LabError, OSError) as error:
            delay = supervised.backoff.next(0.0)
            supervised.due_at = time.monotonic() + delay
            self.console.say(f"{supervised.program.name} cannot be started: {error}; again in {delay:.0f} s")

    def _stop(self, services: Services | None) -> None:
        """The processes first, the services last: a worker that ends still writes."""
        if self._group is None:
            return
        if self._signals:
            self.console.say("Stopping; Ctrl-C again kills at once.")
        embedded = {service.program().name for service in services.embedded} if services else set()
        others = [name for name in self._group.running if name not in embedded]
        killed = self._group.stop(others, seconds=STOP_SECONDS, hurry=self._hurry)
        if services is not None:
            killed += services.stop(self._group, hurry=self._hurry)
        self._group.close()
        if self._signals:
            if killed:
                self.console.say(f"Killed, because they did not end in time: {', '.join(killed)}.")
            self.console.say("Stopped.")

    def _hurry(self) -> bool:
        return self._signals > 1


def _names(services: Services) -> list[str]:
    return [
        "PostgreSQL" if services.postgres else f"DATABASE_URL {masked(services.database_url)}",
        "Valkey" if services.valkey else f"REDIS_URL {masked(services.redis_url)}",
    ]


def _reason(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
