"""Votes, verdicts and reopening: what reviewers make of a flag, each with a reason; nothing is ever taken back."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from experiments.errors import IllegalTransition, InvalidInput, Refused
from experiments.texts import check_reason
from oversight.lifecycle import REOPENED, FlagState, Verdict
from oversight.models import Decision, Flag, Vote
from oversight.services.demotion import demote_if_wrong
from oversight.services.effects import apply_effects
from oversight.services.flags import check_free, lock_touched, locked_flag, tell

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def needed(flag: Flag) -> int:
    """How many reviewers must agree."""
    return settings.GRAVE_FLAG_REVIEWERS if flag.is_grave else 1


def counted_votes(flag: Flag) -> list[Vote]:
    """The latest vote of each reviewer in this round, oldest first."""
    latest: dict[int, Vote] = {}
    for vote in Vote.objects.filter(flag=flag, round=flag.round).select_related("reviewer").order_by("id"):
        latest[vote.reviewer_id] = vote
    return sorted(latest.values(), key=lambda vote: vote.pk)


@transaction.atomic
def decide_flag(*, user: "User", flag_id: int, verdict: str, reason: str) -> Flag:
    """Vote; the vote that makes enough reviewers agree decides, and the verdict has its effects at once.

    Voting the same twice is harmless. A first vote stands until all are in; if they differ, each may vote again.
    Raises: NotFound, Forbidden, InvalidInput, Refused on a result of one's own, IllegalTransition while somebody else
    holds the lock or after the end.
    """
    flag = locked_flag(user, flag_id)
    if verdict not in Verdict.values:
        raise InvalidInput(f"{verdict!r}: expected one of {', '.join(Verdict.values)}", pointer="#/verdict")
    why = check_reason(reason)
    votes = counted_votes(flag)
    own = next((vote for vote in votes if vote.reviewer_id == user.pk), None)
    if own is not None and own.verdict == verdict:
        return flag
    if flag.state == FlagState.DECIDED:
        raise IllegalTransition(f"flag {flag.pk} is decided; reopen it to judge it again")
    _check_not_own(flag, user)
    check_free(flag, user)
    if own is not None and len(votes) < needed(flag):
        raise IllegalTransition("your vote stands until the other reviewers have voted")
    Vote.objects.create(flag=flag, round=flag.round, reviewer=user, verdict=verdict, reason=why)
    agreeing = [vote for vote in counted_votes(flag) if vote.verdict == verdict]
    if len(agreeing) < needed(flag):
        _leave(flag, FlagState.OPEN)
        tell(flag, "flag.voted", actor=user)  # not what: the next reviewer is to be blind
        return flag
    Decision.objects.create(flag=flag, round=flag.round, verdict=verdict, reason=why, decided_by=user)
    _leave(flag, FlagState.DECIDED)
    lock_touched(flag)
    demote_if_wrong(flag.detector)  # holds the detector's setting: before the log, as whoever sets it does
    tell(flag, "flag.decided", actor=user, verdict=verdict, reason=why)
    apply_effects(flag, actor=user, reason=f"flag {flag.pk}: {Verdict(verdict).label}: {why}")
    return flag


@transaction.atomic
def reopen_flag(*, user: "User", flag_id: int, reason: str) -> Flag:
    """Judge it again, in a new round; what was decided stays written. Opening an open one changes nothing.

    Raises: NotFound, Forbidden, InvalidInput, Refused on a result of one's own.
    """
    flag = locked_flag(user, flag_id)
    why = check_reason(reason)
    if flag.state != FlagState.DECIDED:
        return flag
    _check_not_own(flag, user)
    Decision.objects.create(flag=flag, round=flag.round, verdict=REOPENED, reason=why, decided_by=user)
    flag.round += 1
    flag.save(update_fields=["round"])
    _leave(flag, FlagState.OPEN)
    lock_touched(flag)
    tell(flag, "flag.reopened", actor=user, reason=why)
    apply_effects(flag, actor=user, reason=f"flag {flag.pk} was opened again: {why}")
    return flag


def _leave(flag: Flag, state: str) -> None:
    flag.state, flag.claimed_by, flag.claimed_until = state, None, None
    flag.save(update_fields=["state", "claimed_by", "claimed_until"])


def _check_not_own(flag: Flag, user: "User") -> None:
    """Reviewers may run experiments, too; in a lab of one person nobody else is there to judge. Raises: Refused."""
    accounts = [
        flag.experiment and flag.experiment.submitter_id,
        flag.upload and flag.upload.submitter_id,
        flag.finding and flag.finding.author_id,
    ]
    if user.pk in accounts and settings.GRAVE_FLAG_REVIEWERS > 1:
        raise Refused(f"flag {flag.pk} is about your own work: somebody else judges it")
