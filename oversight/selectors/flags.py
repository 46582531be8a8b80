"""Flags as one person may see them: blind where they are to judge first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from experiments.errors import Forbidden, NotFound
from experiments.hidden_words import hidden_from
from oversight.lifecycle import REOPENED, FlagState, Level, Source
from oversight.models import Decision, Flag, Vote
from oversight.permissions import can_judge

if TYPE_CHECKING:
    from experiments.permissions import Actor


@dataclass(frozen=True, slots=True)
class FlagFacts:
    """One flag for one viewer.

    state: with a lock that has run out counted as open. blind: the viewer is to judge before seeing votes or scores.
    verdict: of the latest decided round while it stands. withheld: the monitor's score is kept back, as this flag or a
    hold on the same experiment is to be judged first.
    """

    flag: Flag
    state: str
    claimed_by: str | None
    claimed_until: datetime | None
    claimed_by_me: bool
    blind: bool
    votes_cast: int
    votes_needed: int
    votes: Sequence[Vote]
    own_vote: Vote | None
    verdict: str | None
    decisions: Sequence[Decision]
    statistic: float | None
    threshold: float | None
    p_value: float | None
    withheld: bool


def flags_for(user: "Actor", query: Mapping[str, Any]) -> "QuerySet[Flag]":
    """What the filters let through, newest first. Raises: Forbidden."""
    if not can_judge(user):
        raise Forbidden("you may not read the inbox")
    found = Flag.objects.visible_to(user)
    if query.get("state"):
        found = found.in_state(query["state"])
    plain = {name: query[name] for name in ("level", "detector", "experiment") if query.get(name)}
    rows: QuerySet[Flag] = found.filter(**plain).select_related(*_WITH)
    return rows


def flag_of(user: "Actor", flag_id: int) -> FlagFacts:
    """Raises: NotFound, also for whoever may not see flags."""
    found = Flag.objects.visible_to(user).select_related(*_WITH).filter(pk=flag_id).first()
    if found is None:
        raise NotFound(f"no flag {flag_id}")
    return flag_facts(user, [found])[0]


def flag_facts(user: "Actor", flags: Sequence[Flag]) -> list[FlagFacts]:
    """For this viewer, in two queries, and two for what is hidden from them."""
    hidden = hidden_from(user)
    for flag in flags:
        flag.evidence = hidden.taken_out(flag.evidence)
    ids = [flag.pk for flag in flags]
    votes: dict[int, list[Vote]] = {}
    for vote in Vote.objects.filter(flag__in=ids).select_related("reviewer").order_by("id"):
        votes.setdefault(vote.flag_id, []).append(vote)
    decisions: dict[int, list[Decision]] = {}
    for decision in Decision.objects.filter(flag__in=ids).select_related("decided_by").order_by("id"):
        decisions.setdefault(decision.flag_id, []).append(decision)
    unjudged = _unjudged(user, flags)
    return [
        _facts(user, flag, votes.get(flag.pk, []), decisions.get(flag.pk, []), flag.experiment_id in unjudged)
        for flag in flags
    ]


def _unjudged(user: "Actor", flags: Sequence[Flag]) -> set[int | None]:
    """Experiments of monitors' flags under a hold that this viewer has not voted on yet."""
    read = [flag.experiment_id for flag in flags if flag.source == Source.MONITOR]
    if not read or settings.GRAVE_FLAG_REVIEWERS < 2:
        return set()
    own = Vote.objects.filter(flag=OuterRef("pk"), round=OuterRef("round"), reviewer=user.pk)
    holds = Flag.objects.filter(~Exists(own), experiment__in=read, level=Level.HOLD).exclude(state=FlagState.DECIDED)
    return set(holds.values_list("experiment", flat=True))


def _facts(user: "Actor", flag: Flag, votes: list[Vote], decisions: list[Decision], unjudged: bool) -> FlagFacts:
    latest = {vote.reviewer_id: vote for vote in votes if vote.round == flag.round}
    own = latest.get(user.pk) if user.pk else None
    decided = flag.state == FlagState.DECIDED
    needed = settings.GRAVE_FLAG_REVIEWERS if flag.is_grave else 1
    blind = not decided and own is None and needed > 1
    # whoever has voted sees the others' votes when all are in; before that there is nothing to see but their own
    shown = list(latest.values()) if decided or (own is not None and len(latest) >= needed) else [own] if own else []
    withheld = flag.source == Source.MONITOR and (blind or (unjudged and not decided))
    holder = flag.claimant()
    last = decisions[-1].verdict if decided and decisions else None
    return FlagFacts(
        flag=flag,
        state=flag.state if decided else (FlagState.CLAIMED if holder else FlagState.OPEN),
        claimed_by=flag.claimed_by.get_username() if holder and flag.claimed_by else None,
        claimed_until=flag.claimed_until if holder else None,
        claimed_by_me=holder is not None and holder == user.pk,
        blind=blind,
        votes_cast=len(latest),
        votes_needed=needed,
        votes=shown,
        own_vote=own,
        verdict=None if last == REOPENED else last,
        decisions=decisions,
        statistic=None if withheld else flag.statistic,
        threshold=None if withheld else flag.threshold,
        p_value=None if withheld else flag.p_value,
        withheld=withheld,
    )


_WITH = ("claimed_by", "raised_by", "calibration", "experiment", "experiment__benchmark", "agent", "finding", "upload")
