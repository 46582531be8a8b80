"""The event log as people read it: the latest lines, each with its sentence and its link."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.urls import NoReverseMatch, reverse

from experiments.events import LAB
from experiments.hidden_words import hidden_from
from experiments.looks import LOOKS
from experiments.models import Event, EventCounter

if TYPE_CHECKING:
    from experiments.permissions import Actor

_PLACES = {
    kind: kind for kind in ("agent", "benchmark", "campaign", "experiment", "finding", "method", "transfer_study")
}

EXCERPT = 80  # characters of what somebody said


@dataclass(frozen=True, slots=True)
class Line:
    """One event: who, what, on which row; `url` is empty where the row has no page."""

    number: int
    actor: str
    text: str
    subject: str
    url: str
    created_at: datetime


def last_event_number(campaign: int = LAB) -> int:
    """From where a page's live stream starts."""
    return EventCounter.objects.filter(pk=campaign).values_list("last_number", flat=True).first() or 0


def latest_events(user: "Actor", limit: int = 30, campaign: int = LAB) -> list[Line]:
    """The newest events first, as this user may read them."""
    events = Event.objects.filter(campaign=campaign).select_related("actor").order_by("-number")[:limit]
    return _lines(user, events)


def events_of(user: "Actor", subject: str, limit: int = 50) -> list[Line]:
    """What happened to one row, newest first, as this user may read it."""
    events = Event.objects.filter(subject=subject).select_related("actor").order_by("-id")[:limit]
    return _lines(user, events)


def _lines(user: "Actor", events: Iterable[Event]) -> list[Line]:
    hidden = hidden_from(user)
    return [_line(event, hidden.taken_out(event.payload)) for event in events]


def _line(event: Event, payload: dict[str, Any]) -> Line:
    kind, _, key = event.subject.partition(":")
    return Line(
        number=event.number,
        actor=event.actor.get_username() if event.actor else "the lab",
        text=_text(event.kind, payload),
        subject=str(payload.get("name") or f"{kind} {key}") if kind == "agent" else f"{kind} {key}",
        url=_url(kind, key, payload),
        created_at=event.created_at,
    )


def _text(kind: str, payload: dict[str, Any]) -> str:
    """ "benchmark.state" with {"state": "ready"} reads "ready"; any other kind reads as its own words.

    A batch of runs says how many ("20 seeds evaluating"), a score what it is ("scored, dev PGR 0.53"), a tool call its
    tool ("shell started"), words how they begin ("thought: I will …").
    """
    own = kind.partition(".")[2].replace("_", " ").replace(".", " ")
    state = payload.get("state") or payload.get("to")
    said = own
    if own == "state" and state:
        said = LOOKS[state].label.lower() if state in LOOKS else str(state).replace("_", " ")
    if tool := payload.get("tool"):
        return f"{tool} {said}"
    if text := payload.get("text"):
        return f"{said}: {_shortened(str(text))}"
    if seeds := payload.get("seeds"):
        return f"{len(seeds)} seed{'' if len(seeds) == 1 else 's'} {said}"
    pgr = payload.get("dev_pgr")
    return f"{said}, dev PGR {pgr:.2f}".replace("-", "−") if isinstance(pgr, float) else said


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else f"{line[:EXCERPT]}…"


def _url(kind: str, key: str, payload: dict[str, Any]) -> str:
    if kind == "run" and "experiment" in payload:
        kind, key = "experiment", str(payload["experiment"])
    if kind not in _PLACES:
        return ""
    try:
        return reverse(_PLACES[kind], args=[key])
    except NoReverseMatch:
        return ""
