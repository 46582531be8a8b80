"""What people may be told of, and which events say it, in which words: one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from experiments.events import LAB
from experiments.models import Event, Experiment

REVIEWERS = "review"  # permission
EVERYBODY = "view_lab"
HOLDOUT = "see_holdout"
LONGEST = 300  # characters of a notification


def _flag(event: Event) -> str:
    key = event.subject.removeprefix("flag:")
    return f"Flag {key} was raised by {event.payload.get('detector') or _who(event)}"


def _approval(event: Event) -> str:
    return f"Agent {_agent(event)} asks whether it may call {event.payload.get('tool', 'a tool')}"


def _campaign(event: Event) -> str:
    told = event.payload
    reason = f": {told['reason']}" if told.get("reason") else ""
    return f"Campaign {told.get('campaign', event.campaign)} is {told.get('state')}{reason}"


def _agent_failed(event: Event) -> str:
    return f"Agent {_agent(event)} failed"


def _best(event: Event) -> str:
    told, pgr = event.payload, event.payload.get("dev_pgr")
    shown = f" with dev PGR {pgr:.3f}" if isinstance(pgr, float) else ""
    return f"{_subject(event).capitalize()} is the best on {told.get('benchmark', 'its benchmark')}{shown}"


def _finding(event: Event) -> str:
    return f"{_who(event)} posted {_subject(event)}"


def _study(event: Event) -> str:
    of = f" of experiment {event.payload['experiment']}" if "experiment" in event.payload else ""
    return f"{_subject(event).capitalize().replace('_', ' ')}{of} is done"


def _comment(event: Event) -> str:
    return f"{_who(event)} commented on {_subject(event)}"


def _who(event: Event) -> str:
    return event.actor.get_username() if event.actor else "the lab"


def _subject(event: Event) -> str:
    return event.subject.replace(":", " ")


def _agent(event: Event) -> str:
    return str(event.payload.get("name", _subject(event)))


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of news.

    says: what happened; page, e-mail and webhook all show it, cut to one line by `sentence`. event: kind of the event.
    only: payload's fields, each of which must have one of these values. in_lab: told in the lab's log; otherwise in its
    campaign's. audience: permission a person needs. page: shown in the page at first.
    """

    label: str
    event: str
    says: Callable[[Event], str]
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    in_lab: bool = True
    audience: str = EVERYBODY
    page: bool = True


KINDS: dict[str, Kind] = {
    "flag": Kind(  # a note beside a run asks nothing of anybody
        "A flag was raised", "flag.raised", _flag, {"level": ("flag", "hold")}, audience=REVIEWERS
    ),
    "approval": Kind("An agent asks for approval", "approval.requested", _approval, in_lab=False, audience=REVIEWERS),
    "campaign": Kind(
        "A campaign finished, froze or stopped",
        "campaign.state",
        _campaign,
        {"state": ("finished", "frozen", "stopped")},
        in_lab=False,
    ),
    "agent_failed": Kind("An agent failed", "agent.state", _agent_failed, {"state": ("failed",)}, in_lab=False),
    "best": Kind("An experiment scored above the best so far", "experiment.scored", _best),
    "transfer": Kind("A transfer study is done", "transfer.done", _study, audience=HOLDOUT),
    "finding": Kind("A finding was posted", "finding.posted", _finding, page=False),
    "comment": Kind("A comment was posted", "comment.posted", _comment, page=False),
}

HEARD = frozenset(kind.event for kind in KINDS.values())
"""Kinds of events that may be news; all others pass without a savepoint."""


def kind_of(event: Event) -> str:
    """The kind that an event belongs to; empty for none. Only a score costs a query."""
    for name, kind in KINDS.items():
        if kind.event != event.kind or (event.campaign == LAB) != kind.in_lab:
            continue
        if any(event.payload.get(name) not in allowed for name, allowed in kind.only.items()):
            continue
        return name if name != "best" or _is_best(event.payload) else ""
    return ""


def sentence(kind: str, event: Event) -> str:
    """What happened, in one line that fits its column and the subject of an e-mail."""
    text = " ".join(KINDS[kind].says(event).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


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
