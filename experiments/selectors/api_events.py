"""The event log from a number on."""

from django.db.models import QuerySet

from experiments.models import Event, EventCounter


def events_after(campaign: int, after: int, *, subject: str = "") -> QuerySet[Event]:
    """Events with higher numbers, oldest first; the caller bounds them."""
    found = Event.objects.filter(campaign=campaign, number__gt=after).select_related("actor").order_by("number")
    return found.filter(subject=subject) if subject else found


def last_number(campaign: int) -> int:
    """The highest number given out in a campaign; 0 before its first event."""
    return EventCounter.objects.filter(pk=campaign).values_list("last_number", flat=True).first() or 0
