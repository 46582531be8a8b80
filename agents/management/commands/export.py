"""`manage.py export CAMPAIGN`: a whole campaign as one archive."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from agents.services.archives import archive_name, export_campaign
from experiments.errors import LabError


class Command(BaseCommand):
    """Acts as the lab's owner unless told otherwise; the service decides what is allowed."""

    help = "Writes a campaign with everything that belongs to it into one tar.gz; the same campaign, the same bytes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A campaign, and where to."""
        parser.add_argument("campaign", type=int)
        parser.add_argument("--out", type=Path, help="file to write (campaign-ID.tar.gz); an existing one is kept")
        parser.add_argument("--holdout", action="store_true", help="with holdout scores: not for agents' eyes")
        parser.add_argument("--json", action="store_true", help="print the manifest")
        parser.add_argument("--user", default="owner", help="account that acts (owner)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Raises: CommandError with the service's sentence."""
        user = get_user_model().objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"there is no account {options['user']!r}; name one with --user")
        path = options["out"] or Path(archive_name(options["campaign"]))
        part = path.with_name(f"{path.name}.part")
        if path.exists():
            raise CommandError(f"{path} exists already; name another file with --out")
        try:
            with part.open("wb") as out:
                manifest = export_campaign(
                    user=user, campaign_id=options["campaign"], out=out, holdout=options["holdout"]
                )
            part.rename(path)
        except (LabError, OSError) as error:
            raise CommandError(str(error)) from None
        finally:
            part.unlink(missing_ok=True)
        if options["json"]:
            self.stdout.write(json.dumps({"file": str(path), **manifest}))
            return
        counts = ", ".join(f"{facts['rows']} {name}" for name, facts in sorted(manifest["tables"].items()))
        self.stdout.write(f"{path}: {path.stat().st_size:,} bytes, content {manifest['content_sha256']}\n  {counts}")
