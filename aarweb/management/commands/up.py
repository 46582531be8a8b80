"""`manage.py up`: the whole lab under one supervisor; `make run` ends here."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from aarweb import env
from aarweb.lab.console import Console
from aarweb.lab.environment import data_paths
from aarweb.lab.supervisor import Supervisor


class Command(BaseCommand):
    """Settings come from the environment alone, so that every process of the lab sees the same."""

    help = (
        "Starts the whole lab and prints a link that logs its owner in: PostgreSQL and Valkey (or those that"
        " DATABASE_URL and REDIS_URL name), migrations, the web server, the workers and the clock. Restarts what dies;"
        " Ctrl-C stops everything. PORT (8000), BIND (127.0.0.1) and DATA_DIR (.data) say where; .env.example lists"
        " every variable."
    )
    requires_system_checks = ()  # `prepare` runs them, once the database is there

    def handle(self, *_args: Any, **_options: Any) -> None:
        paths = data_paths()
        supervisor = Supervisor(
            paths,
            Console(paths.logs),
            bind=env.text("BIND") or "127.0.0.1",
            port=env.integer("PORT", 8000, least=1, most=65535),
            public_url=settings.PUBLIC_URL,
        )
        code = supervisor.run()
        if code:
            raise SystemExit(code)
