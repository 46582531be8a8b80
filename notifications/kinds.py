"""What people may be told of, and which events say it: one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.events import LAB
from experiments.models import Event, Experiment

REVIEWERS = "review"  # permission
EVERYBODY = "view_lab"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of news.

    event: kind of the event. states: payload's state must be one of these; empty for any. in_lab: told in the lab's
    log; otherwise in its campaign's. audience: permission a person needs. page: shown in the page at first.
    """

    label: str
    event: str
    states: tuple[str, ...] = ()
    in_lab: bool = True
    audience: str = EVERYBODY
    page: bool = True


KINDS: dict[str, Kind] = {
    "flag": Kind("A flag was raised", "flag.raised", audience=REVIEWERS),
    "approval": Kind("An agent asks for approval", "approval.requested", in_lab=False, audience=REVIEWERS),
    "campaign": Kind(
        "A campaign finished, froze or stopped", "campaign.state", ("finished", "frozen", "stopped"), False
    ),
    "agent_failed": Kind("An agent failed", "agent.state", ("failed",), in_lab=False),
    "best": Kind("An experiment scored above the best so far", "experiment.scored"),
    "finding": Kind("A finding was posted", "finding.posted", page=False),
    "comment": Kind("A comment was posted", "comment.posted", page=False),
}


def kind_of(event: Event) -> str:
    """The kind that an event belongs to; empty for none. Only a score costs a query."""
    for name, kind in KINDS.items():
        if kind.event != event.kind or (event.campaign == LAB) != kind.in_lab:
            continue
        if kind.states and event.payload.get("state") not in kind.states:
            continue
        return name if name != "best" or _is_best(event.payload) else ""
    return ""


def sentence(kind: str, event: Event) -> str:
    """What happened, in one line."""
    told, subject = event.payload, event.subject.replace(":", " ")
    who = event.actor.get_username() if event.actor else "the lab"
    if kind == "campaign":
        reason = f": {told['reason']}" if told.get("reason") else ""
        return f"Campaign {told.get('campaign')} is {told.get('state')}{reason}"
    if kind == "agent_failed":
        return f"Agent {told.get('name', subject)} failed"
    if kind == "approval":
        return f"Agent {told.get('name', subject)} asks whether it may call {told.get('tool', 'a tool')}"
    if kind == "best":
        pgr = told.get("dev_pgr")
        shown = f" with dev PGR {pgr:.3f}" if isinstance(pgr, float) else ""
        return f"Experiment {told.get('experiment')} is the best on {told.get('benchmark', 'its benchmark')}{shown}"
    if kind == "flag":
        return f"Flag {subject.removeprefix('flag ')} was raised by {told.get('detector') or who}"
    verb = "commented on" if kind == "comment" else "posted"
    return f"{who} {verb} {subject}"


def _is_best(payload: Mapping[str, Any]) -> bool:
    """Whether a counted experiment lies above every other counted one of its benchmark and class."""
    made = Experiment.objects.filter(
        pk=payload.get("experiment") or 0, standing="counted", dev_pgr__isnull=False
    ).first()
    if made is None:
        return False
    others = Experiment.objects.filter(
        benchmark=made.benchmark_id, method_class=made.method_class, state="scored", standing="counted"
    ).exclude(pk=made.pk)
    return not others.filter(dev_pgr__gte=made.dev_pgr).exists()
