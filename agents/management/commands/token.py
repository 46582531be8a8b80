"""`manage.py token`: makes, lists and revokes the tokens of agents and scripts."""

import json
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils import timezone

from agents.models import Token
from agents.selectors.me import all_tokens
from agents.services import SCOPES, create_token, revoke_token
from experiments.errors import LabError


class Command(BaseCommand):
    """A token is shown once, when it is made."""

    help = "Makes, lists and revokes the tokens by which agents and scripts call the API."

    def add_arguments(self, parser: CommandParser) -> None:
        """create NAME --role ROLE, list, revoke ID."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|revoke")
        create = verbs.add_parser("create", help="make a token, and the account NAME if there is none")
        create.add_argument("name", help="name of the account")
        create.add_argument("--role", required=True, help="viewer, researcher, reviewer, admin or agent")
        create.add_argument("--scopes", default=",".join(SCOPES), help="words separated by commas: read, write")
        create.add_argument("--expires-days", type=_days, metavar="DAYS", help="not usable after so many days")
        listing = verbs.add_parser("list", help="all tokens, newest first")
        revoke = verbs.add_parser("revoke", help="make a token useless at once")
        revoke.add_argument("id", type=int, help="as `token list` shows it")
        for verb in (create, listing, revoke):
            verb.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb']}")(options)
        except LabError as error:
            raise CommandError(str(error)) from None
        except OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(f"the database does not answer ({reason}); is the lab running?") from None

    def _create(self, options: dict[str, Any]) -> None:
        days = options["expires_days"]
        row, token = create_token(
            name=options["name"],
            role=options["role"],
            scopes=[word.strip() for word in options["scopes"].split(",") if word.strip()],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        if options["json"]:
            self.stdout.write(json.dumps({**_facts(row), "token": token}))
            return
        self.stderr.write("It is shown this once and stored only as a hash.")
        self.stdout.write(token)

    def _list(self, options: dict[str, Any]) -> None:
        facts = [_facts(each) for each in all_tokens()]
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        if not facts:
            self.stdout.write("There are no tokens. `manage.py token create NAME --role ROLE` makes one.")
        for each in facts:
            used = f"used {each['last_used_at'][:16]}" if each["last_used_at"] else "never used"
            scopes, roles = ",".join(each["scopes"]), ",".join(each["roles"])
            who = f"{each['id']:>5}  {each['name']:<24} {roles:<12} {each['prefix']}…"
            self.stdout.write(f"{who}  {scopes:<11} {each['state']:<8} {used}")

    def _revoke(self, options: dict[str, Any]) -> None:
        row = Token.objects.filter(pk=options["id"]).first()
        if row is None:
            raise CommandError(f"there is no token {options['id']}; `manage.py token list` shows them")
        revoke_token(token_id=row.pk)
        row.refresh_from_db()
        self.stdout.write(json.dumps(_facts(row)) if options["json"] else f"{row} is revoked.")


def _facts(row: Token) -> dict[str, Any]:
    """What may be shown of a token: everything but the token."""
    state = "revoked" if row.revoked_at else "usable" if row.usable else "expired"
    times = {name: getattr(row, name) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    return {
        "id": row.pk,
        "name": row.name,
        "roles": [group.name for group in row.user.groups.all()],
        "prefix": row.prefix,
        "scopes": row.scopes,
        "state": state,
        **{name: value.isoformat() if value else None for name, value in times.items()},
    }


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 36_500):
        raise ArgumentTypeError(f"{text!r}: expected a whole number of days from 1 to 36500")
    return int(text)
