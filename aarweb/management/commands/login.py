"""`manage.py login`: a fresh link that logs the owner in once."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from aarweb.login import one_time_path


class Command(BaseCommand):
    """Whoever may run commands here owns the lab."""

    help = "Prints a link that logs the owner in. It works once, and for a day (LOGIN_LINK_SECONDS)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print {url, path, seconds}")

    def handle(self, *_args: Any, **options: Any) -> None:
        path = one_time_path()
        url = settings.PUBLIC_URL.rstrip("/") + path
        answer = {"url": url, "path": path, "seconds": settings.LOGIN_LINK_SECONDS}
        self.stdout.write(json.dumps(answer) if options["json"] else url)
