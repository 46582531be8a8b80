"""A database and a cache for one benchmark: services in a temporary folder, gone afterwards."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aarweb.lab.paths import Paths
from aarweb.lab.processes import Group
from aarweb.lab.services import Services


class Outage:
    """Takes the services of a scratch lab away, with kill -9, and brings them back with what their disks kept."""

    def __init__(self, services: Services, group: Group) -> None:
        self._group = group
        self._services = {each.program().name: each for each in services.embedded}

    def begin(self, name: str) -> None:
        """name: "postgres" or "valkey"."""
        self._group.running[name].signal_group(signal.SIGKILL)
        self._group.running[name].process.wait()
        self._group.forget(name)

    def end(self, name: str) -> None:
        """On the same port; returns when it answers."""
        self._services[name].prepare()
        self._services[name].start(self._group, lambda line: None)


@contextmanager
def scratch_lab() -> Iterator[Outage]:
    """Migrated and empty; durable as a lab is. Django must not have been set up before."""
    folder = Path(tempfile.mkdtemp(prefix="aarweb-bench-"))
    paths, group = Paths(folder / "data"), Group()
    paths.create()
    services = Services(paths, database_url="", redis_url="")
    try:
        services.start(group, lambda name, line: None)
        os.environ |= {
            **services.environment,
            "DATA_DIR": str(paths.data),
            "SECRET_KEY": "bench",
            "SEED_SECRET": "bench",
        }
        os.environ |= {"DJANGO_SETTINGS_MODULE": "aarweb.settings", "LOG_LEVEL": "ERROR", "DEBUG": "0"}
        _set_up()
        yield Outage(services, group)
    finally:
        _close()
        services.stop(group, hurry=lambda: True)
        group.close()
        shutil.rmtree(folder, ignore_errors=True)


def _set_up() -> None:
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}  # pages need no collected files to be timed
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0)


def _close() -> None:
    from django.db import connections

    connections.close_all()
