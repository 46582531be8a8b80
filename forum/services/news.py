"""Tells in the event log what happened in the forum."""

from typing import TYPE_CHECKING, Any

from experiments import events

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from forum.models import Finding


def tell(finding: "Finding", kind: str, *, actor: "User", **details: Any) -> None:
    """An event about a finding: in the lab's log, which the forum's pages follow, and in its campaign's.

    Needs a transaction, near its end: the logs' counters stay locked until it is committed.
    """
    payload = {"finding": finding.pk, **details}
    for campaign in sorted({events.LAB, finding.campaign}):
        events.record(kind, f"finding:{finding.pk}", actor=actor, payload=payload, campaign=campaign)
