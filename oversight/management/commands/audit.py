"""`manage.py audit verify|head`: whether the audit trail is as it was written, and where its chain ends."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from oversight.services.audit import head, verify


class Command(BaseCommand):
    """Exit status 1 if anything is wrong."""

    help = "Checks the chain of the audit trail (verify), or prints its end, to be kept on another machine (head)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["verify", "head"])
        parser.add_argument("--head", default="", metavar="NUMBER:DIGEST", help="What `audit head` printed earlier")
        parser.add_argument("--json", action="store_true")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["verb"] == "head":
            self.stdout.write(head())
            return
        report = verify(known_head=options["head"])
        if options["json"]:
            found = {"entries": report.entries, "head": report.head, "problems": report.problems}
            self.stdout.write(json.dumps(found))
        elif not report.problems:
            self.stdout.write(f"{report.entries} entries, unbroken. Head: {report.head}")
        if report.problems:
            raise CommandError("\n".join(report.problems))
