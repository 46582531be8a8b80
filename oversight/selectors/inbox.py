"""The inbox: flags and approvals that wait, gravest and oldest first, and one of them with everything beside it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import Q

from agents.lifecycle import ApprovalState
from agents.models import Approval
from agents.selectors.approvals import approval_of
from experiments.models import Experiment
from oversight.lifecycle import Level
from oversight.models import Flag
from oversight.permissions import can_judge
from oversight.selectors.calls import Part, call_parts, cost_text
from oversight.selectors.flags import FlagFacts, flag_facts, flag_of
from oversight.selectors.precision import Precision, precision_of

if TYPE_CHECKING:
    from experiments.permissions import Actor

MOST = 100  # items in the list; the rest is counted


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the list. name: "flag:3" or "approval:4"."""

    name: str
    level: str
    title: str
    about: str
    at: datetime
    claimed_by: str | None
    claimed_by_me: bool
    votes: str


@dataclass(frozen=True, slots=True)
class Inbox:
    """What waits; more: how many are not listed."""

    items: Sequence[Item]
    more: int


@dataclass(frozen=True, slots=True)
class FlagCase:
    """A flag with what a reviewer needs beside it."""

    facts: FlagFacts
    experiment: Experiment | None
    precision: Precision
    can_judge: bool
    alone: bool


@dataclass(frozen=True, slots=True)
class ApprovalCase:
    """A call with what a reviewer needs beside it. editable: its arguments as JSON."""

    approval: Approval
    parts: Sequence[Part]
    cost: str
    editable: str
    waits: bool


def inbox(user: "Actor") -> Inbox:
    """Holds first, then calls that an agent waits for, then flags; within each the oldest."""
    flags = Flag.objects.visible_to(user).undecided().for_people()
    shown = list(flags.gravest_first().select_related("claimed_by", "agent", "experiment", "finding", "upload")[:MOST])
    waiting = Approval.objects.filter(state=ApprovalState.PENDING).select_related("agent").order_by("id")
    calls = [_call(each) for each in waiting[:MOST]]
    lines = [_flag(each) for each in flag_facts(user, shown)]
    holds = [line for line in lines if line.level == Level.HOLD]
    items = [*holds, *calls, *(line for line in lines if line.level != Level.HOLD)]
    return Inbox(items, flags.count() - len(shown) + waiting.count() - len(calls))


def waiting_count(user: "Actor") -> int:
    """How many things wait for people."""
    flags = Flag.objects.visible_to(user).undecided().for_people().count()
    return flags + Approval.objects.filter(state=ApprovalState.PENDING).count()


def flag_case(user: "Actor", flag_id: int) -> FlagCase:
    """Raises: NotFound."""
    facts = flag_of(user, flag_id)
    experiment = facts.flag.experiment
    return FlagCase(
        facts=facts,
        experiment=experiment,
        precision=precision_of(facts.flag.detector),
        can_judge=can_judge(user),
        alone=facts.votes_needed > _reviewers(facts.votes_needed),
    )


def approval_case(user: "Actor", approval_id: int) -> ApprovalCase:
    """Raises: NotFound, Forbidden."""
    approval = approval_of(user, approval_id)
    return ApprovalCase(
        approval=approval,
        parts=call_parts(approval),
        cost=cost_text(approval),
        editable=json.dumps(approval.arguments, indent=2, sort_keys=True),
        waits=approval.state == ApprovalState.PENDING,
    )


def flags_on(user: "Actor", experiment_id: int) -> list[FlagFacts]:
    """Every flag on an experiment, newest first, info among them."""
    found = Flag.objects.visible_to(user).filter(experiment=experiment_id).order_by("-id")
    return flag_facts(user, list(found.select_related("claimed_by", "raised_by", "calibration")[:MOST]))


def _reviewers(enough: int) -> int:
    """How many active accounts may judge, at most `enough`: fewer than needed cannot decide a hold."""
    permission = Permission.objects.filter(codename="review", content_type__app_label="experiments")
    may = Q(groups__permissions__in=permission) | Q(user_permissions__in=permission) | Q(is_superuser=True)
    return get_user_model().objects.filter(may, is_active=True).distinct()[:enough].count()


def _flag(facts: FlagFacts) -> Item:
    flag = facts.flag
    votes = f"{facts.votes_cast} of {facts.votes_needed} votes" if facts.votes_needed > 1 else ""
    return Item(
        f"flag:{flag.pk}", flag.level, flag.title, flag.subject.replace(":", " "), flag.created_at, facts.claimed_by,
        facts.claimed_by_me, votes,
    )  # fmt: skip


def _call(approval: Approval) -> Item:
    return Item(
        f"approval:{approval.pk}", "approval", f"{approval.tool} by {approval.agent.name}", approval.why,
        approval.requested_at, None, False, "",
    )  # fmt: skip
