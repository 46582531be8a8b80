"""Verifies the audit trail: recomputes every digest outside the database's own functions, and says what is wrong."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection, transaction

from oversight.audit_sql import AUDITED, CANONICAL, CHANGE, SEAL, trigger_definition, trigger_name
from oversight.models import AuditHead
from oversight.services.audit_heads import holds, kept_heads

GENESIS = "0" * 64
_TEXT = CANONICAL.format(row="entry", number="entry.number", previous="entry.previous")
_ROWS = f"""
    SELECT id, number, previous, digest, {_TEXT}
    FROM oversight_auditentry entry ORDER BY number NULLS LAST, id
"""  # noqa: S608 - no value from outside
_TRIGGERS = """
    SELECT tgname, tgenabled::text, pg_get_triggerdef(oid, true) FROM pg_trigger
    WHERE NOT tgisinternal AND (tgname LIKE 'audit\\_%%' OR tgname = 'oversight_audit_seal')
"""
_FUNCTIONS = "SELECT proname, prosrc FROM pg_proc WHERE proname IN ('oversight_audit_change', 'oversight_audit_seal')"


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
    """Walk through the whole chain. known_head: NUMBER:DIGEST that `head` printed earlier and was kept elsewhere.

    The heads that this machine kept count as well.
    """
    problems: list[str] = []
    number, previous = 0, GENESIS
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
    here = head()
    if here != f"{number}:{previous}":
        problems.append(f"the head says {here}, the last entry is {number}:{previous}: rows were removed from the end")
    for kept in dict.fromkeys(filter(None, [known_head, *kept_heads()])):
        if not holds(kept):
            problems.append(f"the head that was kept elsewhere, {kept}, is not in the chain: it was rewritten or cut")
            break
    problems += _switched_off()
    return Report(number, here, problems)


def _entries() -> Iterator[tuple[int, int | None, str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_ROWS)
        while rows := cursor.fetchmany(2000):
            yield from rows


def _switched_off() -> list[str]:
    """Triggers and functions of the trail that are gone, do not fire, or are not what the lab installed."""
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS)
        found = {name: (enabled, definition) for name, enabled, definition in cursor.fetchall()}
        cursor.execute(_FUNCTIONS)
        sources = dict(cursor.fetchall())
    problems = []
    for name in [*map(trigger_name, AUDITED), "oversight_audit_seal"]:
        enabled, definition = found.get(name, ("", ""))
        if enabled != "O":
            problems.append(f"the trigger {name} is {'switched off' if enabled else 'gone'}")
        elif definition != trigger_definition(name):
            problems.append(f"the trigger {name} is another one")
    for name, text in (("oversight_audit_change", CHANGE), ("oversight_audit_seal", SEAL)):
        if sources.get(name) != text.split("$$")[1]:
            problems.append(f"the function {name} is not the lab's")
    return problems
