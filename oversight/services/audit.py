"""Verifies the audit trail: recomputes every digest outside the database's own functions, and says what is wrong."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection, transaction

from oversight.audit_sql import AUDITED, CANONICAL, trigger_name
from oversight.models import AuditHead

GENESIS = "0" * 64
_TEXT = CANONICAL.format(row="entry", number="entry.number", previous="entry.previous")
_ROWS = f"""
    SELECT id, number, previous, digest, {_TEXT}
    FROM oversight_auditentry entry ORDER BY number NULLS LAST, id
"""  # noqa: S608 - no value from outside
_TRIGGERS = """
    SELECT tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal AND (tgname LIKE 'audit\\_%%'
    OR tgname = 'oversight_audit_seal')
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying found. problems: in words, oldest first; empty for a sound trail."""

    entries: int
    head: str
    problems: list[str]


def head() -> str:
    """The end of the chain as NUMBER:DIGEST: copy it elsewhere, and compare later."""
    row = AuditHead.objects.first()
    return str(row) if row else f"0:{GENESIS}"


@transaction.atomic
def verify(*, known_head: str = "") -> Report:
    """Walk through the whole chain. known_head: NUMBER:DIGEST that `head` printed earlier and was kept elsewhere."""
    problems: list[str] = []
    number, previous, digests = 0, GENESIS, dict[int, str]()
    kept_number = known_head.partition(":")[0]
    for pk, found_number, found_previous, digest, text in _entries():
        if found_number is None:
            problems.append(f"row {pk} was never sealed: it was written with the seal switched off")
            continue
        if found_number != number + 1:
            gap = f"{number + 1}" if found_number == number + 2 else f"{number + 1} to {found_number - 1}"
            problems.append(
                f"entry {gap} is missing" if found_number > number else f"entry {found_number} is there twice"
            )
        if found_previous != previous:
            problems.append(f"entry {found_number} does not follow the one before it: a row was removed or inserted")
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            problems.append(f"entry {found_number} was altered: its content does not give its digest")
        number, previous = found_number, digest
        if str(found_number) == kept_number:
            digests[found_number] = digest
    here = head()
    if here != f"{number}:{previous}":
        problems.append(f"the head says {here}, the last entry is {number}:{previous}: rows were removed from the end")
    if (
        known_head
        and digests.get(int(kept_number) if kept_number.isdigit() else -1, "") != known_head.partition(":")[2]
    ):
        problems.append(f"the head that was kept elsewhere, {known_head}, is not in the chain: it was rewritten or cut")
    problems += _switched_off()
    return Report(number, here, problems)


def _entries() -> Iterator[tuple[int, int | None, str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_ROWS)
        while rows := cursor.fetchmany(2000):
            yield from rows


def _switched_off() -> list[str]:
    """Triggers of the trail that are gone or do not fire."""
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS)
        found = dict(cursor.fetchall())
    wanted = [*map(trigger_name, AUDITED), "oversight_audit_seal"]
    return [f"the trigger {name} is {_state(found.get(name))}" for name in wanted if found.get(name) != "O"]


def _state(code: str | None) -> str:
    return "gone" if code is None else "switched off"
