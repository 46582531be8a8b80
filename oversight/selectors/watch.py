"""What oversight has to say of a campaign at a glance: what waits, what is held, what was decided, what has leaked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Prefetch, Q

from agents.lifecycle import AGENT_ENDED, AgentState, ApprovalState
from agents.models import Agent, Approval, Campaign, Latch
from experiments.models import Benchmark
from experiments.selectors.api_budgets import Leak, leaks_of
from oversight.lifecycle import Level
from oversight.models import Decision, Flag
from oversight.permissions import can_judge

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from experiments.permissions import Actor

FLAGS_SHOWN, AGENTS_SHOWN, VERDICTS_SHOWN = 3, 5, 4
_HELD = [AgentState.PAUSING, AgentState.PAUSED, AgentState.FAILED]


@dataclass(frozen=True, slots=True)
class Watch:
    """Of one campaign, or of the lab.

    flags, holds, calls: how many wait; elsewhere: flags and calls that wait outside of this campaign.
    held: the first agents that somebody or something holds, each with its `open_latches`; held_count: how many.
    """

    campaign: Campaign | None
    flags: int
    holds: int
    gravest: Sequence[Flag]
    calls: int
    oldest_call: Approval | None
    elsewhere: int
    held_count: int
    held: Sequence[Agent]
    verdicts: Sequence[Decision]
    leaks: Sequence[tuple[Benchmark, Leak]]
    can_judge: bool


def watch(user: "Actor", campaign: Campaign | None = None) -> Watch:
    """At most ten queries, however much there is."""
    undecided = Flag.objects.visible_to(user).undecided().for_people()
    pending = Approval.objects.filter(state=ApprovalState.PENDING)
    here = Q(campaign=campaign) if campaign else Q()
    asked_here = Q(agent__campaign=campaign) if campaign else Q()
    flags = undecided.order_by().aggregate(
        all=Count("id"), here=Count("id", filter=here), holds=Count("id", filter=here & Q(level=Level.HOLD))
    )
    calls = pending.order_by().aggregate(all=Count("id"), here=Count("id", filter=asked_here))
    waiting = pending.filter(asked_here).select_related("agent")
    held_count, held = _held(user, campaign)
    return Watch(
        campaign=campaign,
        flags=flags["here"],
        holds=flags["holds"],
        gravest=list(undecided.filter(here).gravest_first()[:FLAGS_SHOWN]) if flags["here"] else [],
        calls=calls["here"],
        oldest_call=waiting.order_by("requested_at", "id").first() if calls["here"] else None,
        elsewhere=flags["all"] - flags["here"] + calls["all"] - calls["here"],
        held_count=held_count,
        held=held,
        verdicts=_verdicts(user, campaign),
        leaks=leaks_of(_benchmarks(user, campaign)),
        can_judge=can_judge(user),
    )


def _held(user: "Actor", campaign: Campaign | None) -> tuple[int, list[Agent]]:
    latched = Latch.objects.filter(released_at=None)
    found: Any = Agent.objects.visible_to(user).exclude(state__in=AGENT_ENDED)
    found = found.filter(Q(state__in=_HELD) | Q(pk__in=latched.values("agent")))
    found = found.filter(campaign=campaign) if campaign else found
    open_ones = Prefetch("latches", latched.order_by("set_at"), to_attr="open_latches")
    first = list(found.order_by("state_since", "id").prefetch_related(open_ones)[: AGENTS_SHOWN + 1])
    return found.count() if len(first) > AGENTS_SHOWN else len(first), first[:AGENTS_SHOWN]


def _verdicts(user: "Actor", campaign: Campaign | None) -> list[Decision]:
    found = Decision.objects.filter(flag__in=Flag.objects.visible_to(user))
    found = found.filter(flag__campaign=campaign) if campaign else found
    return list(found.select_related("flag", "decided_by").order_by("-id")[:VERDICTS_SHOWN])


def _benchmarks(user: "Actor", campaign: Campaign | None) -> "QuerySet[Benchmark]":
    found: QuerySet[Benchmark] = Benchmark.objects.visible_to(user)
    return found.filter(campaigns=campaign) if campaign else found
