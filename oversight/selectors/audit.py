"""The audit trail as admins read it."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from experiments.errors import Forbidden
from oversight.audit_sql import AUDITED
from oversight.models import AuditEntry
from oversight.permissions import can_administer

if TYPE_CHECKING:
    from experiments.permissions import Actor

KINDS = sorted(kind for kind, *_ in AUDITED.values())


def audit_for(user: "Actor", query: Mapping[str, Any]) -> "QuerySet[AuditEntry]":
    """What the filters let through: kind, subject, actor, verb, times, words of the reason. Raises: Forbidden."""
    if not can_administer(user):
        raise Forbidden("you may not read the audit trail")
    found = AuditEntry.objects.exclude(number=None)
    if query.get("kind"):
        found = found.filter(subject__startswith=f"{query['kind']}:")
    columns = {"subject": "subject", "actor": "actor_name", "verb": "verb", "since": "at__gte", "until": "at__lt"}
    found = found.filter(**{column: query[name] for name, column in columns.items() if query.get(name)})
    return found.filter(reason__icontains=query["search"]) if query.get("search") else found


def change_lines(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """Column, before, after."""
    before, after = entry.before or {}, entry.after or {}
    return [(name, _shown(before.get(name)), _shown(after.get(name))) for name in sorted({*before, *after})]


def _shown(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 300 else f"{text[:300]}…"
