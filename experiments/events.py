"""The gap-free log: `record` and `record_all` number events inside the caller's transaction."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from experiments import live
from experiments.models import Event

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LAB = 0  # the campaign number of work that belongs to no campaign


def record(
    kind: str,
    subject: str,
    *,
    actor: "User | None" = None,
    payload: dict[str, Any] | None = None,
    campaign: int = LAB,
) -> Event:
    """Append one event; must run inside a transaction, whose end publishes it.

    kind: "experiment.submitted", "run.state", …; subject: "experiment:12".
    payload: what every viewer may see: never a holdout score, a label, a secret.
    The counter row stays locked until commit, so numbers follow commit order and have no gaps.
    """
    return record_all(kind, [(subject, payload or {})], actor=actor, campaign=campaign)[0]


def record_all(
    kind: str, told: Sequence[tuple[str, dict[str, Any]]], *, actor: "User | None" = None, campaign: int = LAB
) -> list[Event]:
    """Append an event for each subject and payload, in this order: as many queries for a thousand as for one."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("events are recorded in a transaction")
    if not told:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO experiments_eventcounter (campaign, last_number) VALUES (%s, %s)"
            " ON CONFLICT (campaign) DO UPDATE SET last_number = experiments_eventcounter.last_number + %s"
            " RETURNING last_number",
            [campaign, len(told), len(told)],
        )
        first = cursor.fetchone()[0] - len(told) + 1
    transaction.on_commit(partial(live.wake, campaign), robust=True)
    made: list[Event] = Event.objects.bulk_create(
        Event(campaign=campaign, number=number, kind=kind, subject=subject, actor=actor, payload=payload)
        for number, (subject, payload) in enumerate(told, start=first)
    )
    for event in made:
        for listener in _listeners():
            listener(event)
    return made


@cache
def _listeners() -> list[Callable[[Event], None]]:
    """What settings.EVENT_LISTENERS names: news goes up as configuration, nothing here imports it."""
    return [import_string(path) for path in settings.EVENT_LISTENERS]
