"""The two services a lab needs: its own from the wheels, or those that DATABASE_URL and REDIS_URL name."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import dj_database_url
import psycopg
import redis

from aarweb.lab.errors import LabError
from aarweb.lab.paths import Paths, private_file
from aarweb.lab.postgres import Postgres
from aarweb.lab.processes import Group
from aarweb.lab.valkey import Valkey

CONNECT_SECONDS = 5
OLDEST_POSTGRES = 14  # Django 5.2's own limit


class Services:
    """PostgreSQL and Valkey of one lab; `embedded` are the ones it starts itself."""

    def __init__(self, paths: Paths, *, database_url: str, redis_url: str, durable: bool = True) -> None:
        """Empty URLs ask for embedded services. durable: False only for tests."""
        self.paths = paths
        self.postgres = None if database_url else Postgres(paths, durable=durable)
        self.valkey = None if redis_url else Valkey(paths)
        self.database_url = self.postgres.url if self.postgres else database_url
        self.redis_url = self.valkey.url if self.valkey else redis_url

    @property
    def embedded(self) -> list[Postgres | Valkey]:
        return [service for service in (self.postgres, self.valkey) if service is not None]

    @property
    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}

    def start(self, group: Group, sink: Callable[[str, str], None]) -> None:
        """Starts what is embedded and checks what is not; both at once.

        sink: is given a service's name and a line that it prints.
        Raises: LabError.
        """
        steps = [
            self._start(self.postgres, group, sink) if self.postgres else lambda: check_database(self.database_url),
            self._start(self.valkey, group, sink) if self.valkey else lambda: check_redis(self.redis_url),
        ]
        with ThreadPoolExecutor(len(steps)) as pool:
            for result in [pool.submit(step) for step in steps]:
                result.result()
        lines = [f"{name}={value}\n" for name, value in self.environment.items()]
        private_file(self.paths.addresses, "".join(lines))

    @staticmethod
    def _start(service: Postgres | Valkey, group: Group, sink: Callable[[str, str], None]) -> Callable[[], None]:
        def step() -> None:
            name = service.program().name
            service.prepare()
            service.start(group, lambda line: sink(name, line))

        return step

    def stop(self, group: Group, hurry: Callable[[], bool] = lambda: False) -> list[str]:
        """Stops the embedded services: PostgreSQL by its fast shutdown, which loses nothing.

        Returns: the names of those that had to be killed.
        """
        killed = group.stop([service.program().name for service in self.embedded], seconds=15.0, hurry=hurry)
        self.paths.addresses.unlink(missing_ok=True)
        return killed


def masked(url: str) -> str:
    """The address without its password, fit for a terminal or a log."""
    try:
        password = urlsplit(url).password
    except ValueError:
        password = None
    return url.replace(f":{password}@", ":***@") if password else re.sub(r":[^:@/]+@", ":***@", url)


def check_database(url: str) -> None:
    """Raises: LabError, naming DATABASE_URL, if no PostgreSQL that we can use answers there."""
    place = f"DATABASE_URL={masked(url)}"
    try:
        parts = dj_database_url.parse(url)
        with psycopg.connect(
            host=parts.get("HOST") or None,
            port=parts.get("PORT") or None,
            user=parts.get("USER") or None,
            password=parts.get("PASSWORD") or None,
            dbname=parts["NAME"],
            connect_timeout=CONNECT_SECONDS,
            **parts.get("OPTIONS", {}),
        ) as connection:
            version = connection.info.server_version // 10_000
    except (dj_database_url.ParseError, dj_database_url.UnknownSchemeError, ValueError) as error:
        raise LabError(f"{place} is not an address: expected postgres://USER:PASSWORD@HOST:PORT/NAME") from error
    except psycopg.Error as error:
        raise LabError(f"{place} cannot be reached: {_first_line(error)}") from error
    if version < OLDEST_POSTGRES:
        raise LabError(f"{place} is PostgreSQL {version}; the lab needs {OLDEST_POSTGRES} or newer.")


def check_redis(url: str) -> None:
    """Raises: LabError, naming REDIS_URL, if no Redis or Valkey that we may use answers there."""
    place = f"REDIS_URL={masked(url)}"
    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS, retry=None
        ) as client:
            client.ping()
    except ValueError as error:
        raise LabError(f"{place} is not an address: expected redis://:PASSWORD@HOST:PORT/0") from error
    except redis.RedisError as error:
        raise LabError(f"{place} cannot be reached: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
