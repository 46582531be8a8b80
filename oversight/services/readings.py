"""Readings of the monitor as rows: asked for, claimed under a lease, paid for once, finished or put back.

Lock order: the day's purse, then the reading.
"""

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from agents.services.budgets import MICRO
from experiments import dispatch
from experiments.archives.models import imported, is_imported
from experiments.errors import Forbidden, IllegalTransition, NotFound, OverBudget, Refused
from experiments.lifecycle import ExperimentState
from experiments.models import Experiment
from experiments.services.leases import LeaseLost, lease_end, new_token
from oversight.models import MonitorDay, Reading
from oversight.models.readings import ReadingState
from oversight.monitor.answers import Verdict, clean
from oversight.monitor.material import material_of
from oversight.permissions import can_judge
from oversight.selectors.monitor import why_off
from oversight.services.inspections import request_inspection

if TYPE_CHECKING:
    from django.contrib.auth.models import User

AT_ONCE = 2  # readings in flight: agents' own thinking comes first on their queue
MOST_READINGS = 3  # of one experiment: each new claim gets one, but nobody makes the lab pay for ever
MOST_FAILURES = 200  # of one reading, five minutes apart: most of a day
MOST_MISSED = 20  # experiments that one visit of the clock takes up
_RECENT = datetime.timedelta(days=1)  # what was scored longer ago is not read by itself: the monitor was off then


@dataclass(frozen=True, slots=True)
class Claim:
    """One reading, held by one worker."""

    token: str
    reading: int
    experiment: int
    model: str
    failures: int


@transaction.atomic
def request_reading(*, experiment_id: int) -> Reading | None:
    """Have the monitor read a scored code experiment, unless it has read the same already. None where it does not."""
    row = Experiment.objects.filter(pk=experiment_id, state=ExperimentState.SCORED, snapshot__isnull=False).first()
    if row is None or is_imported("experiments", row.pk) or why_off():
        return None
    Experiment.objects.select_for_update(no_key=True).get(pk=row.pk)  # two requests at once make no fourth reading
    digest = material_of(row.pk).digest
    known = list(Reading.objects.filter(experiment=row).values_list("digest", flat=True))
    if digest in known or len(known) >= MOST_READINGS:
        return None
    reading = Reading.objects.create(experiment=row, digest=digest)
    dispatch.read_code()
    return reading


@transaction.atomic
def ask_for_reading(*, user: "User", experiment_id: int) -> Reading:
    """The same by hand: also for old experiments, and once more where there was no verdict. What waits stays one.

    Raises: NotFound, Forbidden, Refused where the monitor is off or there is nothing to read, IllegalTransition.
    """
    row = (
        Experiment.objects.visible_to(user)
        .select_for_update(no_key=True, of=("self",))
        .filter(pk=experiment_id)
        .first()
    )
    if row is None:
        raise NotFound(f"no experiment {experiment_id}")
    if not can_judge(user):
        raise Forbidden("you may not have experiments read")
    if row.state != ExperimentState.SCORED:
        raise IllegalTransition(f"experiment {row.pk} is {row.state}: only scored ones are read")
    foreign = "it came from another lab" if is_imported("experiments", row.pk) else ""
    why = foreign or ("" if row.snapshot_id else "it ran no code") or why_off()
    if why:
        raise Refused(f"experiment {row.pk} is not read: {why}")
    digest = material_of(row.pk).digest
    last = Reading.objects.select_for_update(no_key=True).filter(experiment=row).order_by("-id").first()
    if last is not None and last.state in (ReadingState.WAITING, ReadingState.CALLING):
        return last
    known = Reading.objects.select_for_update(no_key=True).filter(experiment=row, digest=digest).first()
    if known is None:
        known = Reading.objects.create(experiment=row, digest=digest, requested_by=user)
    elif known.state == ReadingState.NO_VERDICT:
        known.state, known.requested_by, known.error, known.unreadable = ReadingState.WAITING, user, "", False
        known.failures, known.attempt, known.again_at, known.finished_at = 0, 0, None, None
        known.save()
    dispatch.read_code()
    return known


@transaction.atomic
def claim_reading(*, worker: str, model: str, version: int) -> Claim | None:
    """Take the oldest reading that is due; None where nothing is, or enough are in flight."""
    now = timezone.now()
    _purse(now)  # one claims at a time, or more than AT_ONCE would
    if Reading.objects.filter(state=ReadingState.CALLING, lease_until__gt=now).count() >= AT_ONCE:
        return None
    due = Reading.objects.filter(Q(again_at=None) | Q(again_at__lte=now), state=ReadingState.WAITING)
    row = due.select_for_update(skip_locked=True, no_key=True).order_by("id").first()
    if row is None:
        return None
    row.state, row.attempt, row.model, row.version = ReadingState.CALLING, row.attempt + 1, model, version
    row.lease_owner, row.lease_until = new_token(worker), lease_end(now)
    row.save()
    return Claim(row.lease_owner, row.pk, row.experiment_id, model, row.failures)


def renew_reading(claim: Claim) -> int:
    """Prolong the lease. Returns: 0 if it is lost."""
    held = Reading.objects.filter(pk=claim.reading, lease_owner=claim.token, state=ReadingState.CALLING)
    return held.update(lease_until=lease_end(timezone.now()))


@transaction.atomic
def hold_money(*, claim: Claim, amount: int) -> None:
    """Hold micro-dollars of today's purse before the call. Raises: OverBudget, LeaseLost; then nothing is held."""
    day = _purse(timezone.now())
    row = _held(claim)
    limit = settings.MONITOR_DOLLARS_PER_DAY * MICRO
    if day.spent + day.reserved + amount > limit:
        left = max(limit - day.spent - day.reserved, 0)
        raise OverBudget(
            f"the monitor has ${left / MICRO:.2f} left of ${limit // MICRO} for {day.day}; this needs up to"
            f" ${amount / MICRO:.2f}",
            budget="money", limit=limit, refills_at=None,
        )  # fmt: skip
    MonitorDay.objects.filter(pk=day.pk).update(reserved=F("reserved") + amount)
    row.held, row.held_day = amount, day
    row.save(update_fields=["held", "held_day"])


@transaction.atomic
def record_verdict(
    *, claim: Claim, verdict: Verdict, left_out: list[str], spent: int | None, usage: dict[str, int]
) -> None:
    """Book the call, keep what it said, have the detectors look. spent: None for what was held. Raises: LeaseLost."""
    _end(
        claim,
        spent,
        state=ReadingState.DONE,
        score=verdict.score,
        summary=verdict.summary,
        speaks_to_reader=verdict.speaks_to_reader,
        evidence=verdict.evidence,
        dropped=verdict.dropped,
        left_out=left_out,
        usage=usage,
        error="",
    )


@transaction.atomic
def record_no_verdict(
    *, claim: Claim, why: str, unreadable: bool, spent: int | None, usage: dict[str, int] | None = None
) -> None:
    """It will not be asked again. unreadable: it answered, but not with a verdict, so a person looks."""
    error = clean(why)[:2_000]
    _end(claim, spent, state=ReadingState.NO_VERDICT, error=error, unreadable=unreadable, usage=usage or {})


@transaction.atomic
def postpone(*, claim: Claim, why: str, again_at: datetime.datetime, spent: int | None, failed: bool = True) -> None:
    """Book what the try has cost, and put it back until then; after too many failures there is no verdict."""
    row = _settled(claim, spent)
    row.failures += failed
    row.error, row.again_at, row.attempt = clean(why)[:2_000], again_at, 0
    spent_out = row.failures >= MOST_FAILURES
    _leave(row, ReadingState.NO_VERDICT if spent_out else ReadingState.WAITING)


def visit_readings() -> None:
    """Beat: book calls whose worker died at their worst case and put them back, ask for what was missed, wake up."""
    now = timezone.now()
    expired = Reading.objects.filter(state=ReadingState.CALLING, lease_until__lt=now)
    for key, owner in list(expired.values_list("pk", "lease_owner")):
        _put_back(key, owner)
    if why_off():
        return
    for key in _missed(now):
        request_reading(experiment_id=key)
    due = Reading.objects.filter(Q(again_at=None) | Q(again_at__lte=now), state=ReadingState.WAITING)
    for _ in range(min(due.count(), AT_ONCE)):
        dispatch.read_code()


def _missed(now: datetime.datetime) -> list[int]:
    """Experiments that nobody asked about, longest scored first: those are the first to be too old.

    Imported ones are none of them: they are not read, so each visit would find them again and come no further.
    """
    recent = Experiment.objects.filter(state=ExperimentState.SCORED, finished_at__gt=now - _RECENT)
    missed = recent.filter(~imported("experiments"), snapshot__isnull=False, readings=None)
    return list(missed.order_by("finished_at", "pk").values_list("pk", flat=True)[:MOST_MISSED])


@transaction.atomic
def _put_back(key: int, owner: str) -> None:
    """What a dead worker's call has cost nobody knows, so it is booked at its worst case, once."""
    _purse(timezone.now())
    row = Reading.objects.select_for_update(skip_locked=True).filter(pk=key, lease_owner=owner).first()
    if row is None or row.state != ReadingState.CALLING or row.lease_until is None or row.lease_until > timezone.now():
        return
    _book(row, row.held)
    row.error = "the worker died while the model was asked"
    _leave(row, ReadingState.NO_VERDICT if row.attempt >= settings.RUN_ATTEMPTS else ReadingState.WAITING)


def _end(claim: Claim, spent: int | None, **fields: Any) -> None:
    row = _settled(claim, spent)
    state = fields.pop("state")
    for name, value in fields.items():
        setattr(row, name, value)
    _leave(row, state)


def _settled(claim: Claim, spent: int | None) -> Reading:
    """The reading, locked, its call booked. Raises: LeaseLost: whoever took it has booked the worst case."""
    _purse(timezone.now())
    row = _held(claim)
    _book(row, row.held if spent is None else spent)
    return row


def _book(row: Reading, spent: int) -> None:
    if row.held_day_id is not None:
        day = MonitorDay.objects.filter(pk=row.held_day_id)
        day.update(reserved=F("reserved") - row.held, spent=F("spent") + spent)
    row.cost += spent
    row.held, row.held_day = 0, None


def _leave(row: Reading, state: str) -> None:
    row.state, row.lease_owner, row.lease_until = state, "", None
    if state != ReadingState.WAITING:
        row.finished_at = timezone.now()
    row.save()
    if state != ReadingState.WAITING:
        request_inspection(experiment_id=row.experiment_id)


def _held(claim: Claim) -> Reading:
    row = Reading.objects.select_for_update(no_key=True).filter(pk=claim.reading, lease_owner=claim.token).first()
    if row is None or row.state != ReadingState.CALLING:
        raise LeaseLost(f"reading {claim.reading} is no longer held")
    return row


def _purse(now: datetime.datetime) -> MonitorDay:
    """Today's, locked."""
    day = now.astimezone(datetime.UTC).date()
    MonitorDay.objects.get_or_create(day=day)
    return MonitorDay.objects.select_for_update(no_key=True).get(day=day)
