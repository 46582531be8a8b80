"""`manage.py import_campaign FILE`: a campaign of another lab, for reading."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from experiments.archives.importing import import_archive
from experiments.errors import LabError


class Command(BaseCommand):
    """Acts as the lab's owner unless told otherwise; the service decides what is allowed."""

    help = "Reads the archive of a campaign into this lab, for reading only. Checked before anything is written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A file."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--json", action="store_true", help="print what was made as JSON")
        parser.add_argument("--user", default="owner", help="account that acts (owner)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Raises: CommandError saying what is wrong with the archive."""
        user = get_user_model().objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"there is no account {options['user']!r}; name one with --user")
        try:
            with options["file"].open("rb") as source:
                made = import_archive(user=user, source=source)
        except (LabError, OSError) as error:
            raise CommandError(str(error)) from None
        facts = {"campaign": made.campaign, "lab": made.lab, "source_campaign": made.source_campaign}
        if options["json"]:
            self.stdout.write(json.dumps({**facts, "content_sha256": made.content_digest}))
            return
        self.stdout.write(f"campaign {made.campaign}: campaign {made.source_campaign} of {made.lab}, for reading only")
