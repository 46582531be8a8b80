"""`manage.py prepare`: brings the database and the static files up to what the code says; safe to repeat."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from aarweb.login import one_time_path
from aarweb.roles import sync_roles
from agents.services.policies import ensure_default


class Command(BaseCommand):
    """Reports in JSON lines, for the supervisor: {"step", "seconds"} each, then {"login"}."""

    help = (
        "Applies migrations, brings roles, built-in benchmarks and static files up to date, and prints the path of a"
        " link that logs the owner in once. `manage.py up` runs it at every start; a cluster, once per release."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        pending = _pending_migrations()
        steps: list[tuple[str, Callable[[], None]]] = [
            (f"Migrations ({pending} applied)", _migrate),
            ("Roles", sync_roles),
            ("Policy", _default_policy),
        ]
        if "benchmark" in get_commands():
            steps.append(("Built-in benchmarks", _sync_benchmarks))
        if not settings.DEBUG:
            steps.append(("Static files", _collect_static))
        for name, step in steps:
            started = time.monotonic()
            step()
            self._report(step=name, seconds=round(time.monotonic() - started, 3))
        self._report(login=one_time_path())

    def _report(self, **fields: object) -> None:
        self.stdout.write(json.dumps(fields))


def _pending_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _migrate() -> None:
    call_command("migrate", interactive=False, verbosity=0)


def _default_policy() -> None:
    ensure_default()


def _sync_benchmarks() -> None:
    call_command("benchmark", "sync", verbosity=0)


def _collect_static() -> None:
    """collectstatic, unless no source has changed since the last time: hashing and compressing takes seconds."""
    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            digest.update(f"{path} {storage.size(path)} {storage.get_modified_time(path)}\n".encode())
    stamp = settings.STATIC_ROOT / ".collected"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(digest.hexdigest())
