"""Inspections as rows: asked for, claimed under a lease, finished or put back; a lost message or worker loses none."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from experiments import dispatch
from experiments.lifecycle import BenchmarkState, ExperimentState, ProbeState
from experiments.models import Evaluation, Experiment, LeakMeter
from experiments.probe_models import Probe
from experiments.services.leases import LeaseLost, new_token
from forum.models import Finding, FindingExperiment
from oversight.models import Inspection
from oversight.models.inspections import InspectionState

LEASE = timedelta(minutes=10)  # an inspection takes seconds; what holds it longer is dead
MOST_VISITED = 100  # rows of each kind that one visit of the clock takes up
_OVERLAP = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Claim:
    """One inspection, held by one worker."""

    token: str
    inspection: int
    experiment: int | None
    benchmark: int | None
    asked: int


@transaction.atomic
def request_inspection(*, experiment_id: int) -> None:
    """Have the detectors look at a scored experiment, again if they have already."""
    row, made = Inspection.objects.get_or_create(experiment_id=experiment_id)
    _ask(row, made)
    dispatch.inspect(experiment_id)


@transaction.atomic
def request_uploads_inspection(*, benchmark_id: int) -> None:
    """Have them look at what was uploaded to a benchmark."""
    row, made = Inspection.objects.get_or_create(benchmark_id=benchmark_id)
    _ask(row, made)
    dispatch.inspect_uploads(benchmark_id)


@transaction.atomic
def claim_inspection(*, worker: str, experiment_id: int | None = None, benchmark_id: int | None = None) -> Claim | None:
    """Take an inspection; a scored experiment without one gets it. None where somebody else has it or nothing waits."""
    named: dict[str, Any] = {"experiment_id": experiment_id} if experiment_id else {"benchmark_id": benchmark_id}
    if experiment_id and not _looked_at().filter(pk=experiment_id).exists():
        return None
    Inspection.objects.get_or_create(**named)
    row = Inspection.objects.select_for_update(skip_locked=True).filter(**named).first()
    if row is None or not (row.state == InspectionState.WAITING or _has_news(row)):
        return None
    row.lease_owner, row.lease_until = new_token(worker), timezone.now() + LEASE
    row.state, row.attempt = InspectionState.RUNNING, row.attempt + 1
    row.save(update_fields=["lease_owner", "lease_until", "state", "attempt"])
    return Claim(row.lease_owner, row.pk, row.experiment_id, row.benchmark_id, row.asked)


def finish_inspection(*, claim: Claim, results: list[dict[str, Any]], upto: int = 0) -> None:
    """Write down what came out; inside the transaction that raises the flags. Raises: LeaseLost."""
    row = _held(claim)
    row.results, row.error, row.attempt, row.upto = results, "", 0, max(row.upto, upto)
    row.finished_at = timezone.now()
    _leave(row, InspectionState.DONE if row.asked == claim.asked else InspectionState.WAITING)


@transaction.atomic
def fail_inspection(*, claim: Claim, error: str) -> bool:
    """Something broke: tried again until the attempts are spent. Returns: whether it was given up now."""
    row = _held(claim)
    spent = row.attempt >= settings.RUN_ATTEMPTS
    row.error = error[:4000].replace("\x00", "")
    row.finished_at = timezone.now() if spent else row.finished_at
    _leave(row, InspectionState.FAILED if spent else InspectionState.WAITING)
    return spent


def visit() -> int:
    """Beat: give what nobody asked for its row, put expired leases back, wake workers up. Returns: messages sent."""
    _missed_experiments()
    _missed_uploads()
    _news()
    expired = Inspection.objects.filter(state=InspectionState.RUNNING, lease_until__lt=timezone.now())
    expired.filter(attempt__gte=settings.RUN_ATTEMPTS).update(
        state=InspectionState.FAILED, lease_owner="", lease_until=None, error="its worker fell silent again and again"
    )
    expired.update(state=InspectionState.WAITING, lease_owner="", lease_until=None)
    waiting = Inspection.objects.filter(state=InspectionState.WAITING).order_by("id")[:MOST_VISITED]
    for row in waiting:
        if row.experiment_id:
            dispatch.inspect(row.experiment_id)
        elif row.benchmark_id:
            dispatch.inspect_uploads(row.benchmark_id)
    return len(waiting)


def _has_news(row: Inspection) -> bool:
    """Whether a benchmark's finished inspection has not seen its newest upload."""
    if row.state != InspectionState.DONE or row.benchmark_id is None:
        return False
    return Evaluation.objects.filter(benchmark=row.benchmark_id, verified=False, pk__gt=row.upto).exists()


def _news() -> None:
    """Experiments that a finding cites, or that were probed, since they were inspected."""
    last = Inspection.objects.aggregate(last=Max("finished_at"))["last"]
    if last is None:
        return
    findings = Finding.objects.filter(created_at__gt=last - _OVERLAP)
    cited = FindingExperiment.objects.filter(finding__in=findings, finding__created_at__gt=OuterRef("finished_at"))
    stale = Inspection.objects.filter(
        Exists(cited.filter(experiment=OuterRef("experiment"))), state=InspectionState.DONE
    )
    stale.update(state=InspectionState.WAITING)
    probes = Probe.objects.filter(finished_at__gt=last - _OVERLAP, state=ProbeState.DONE)
    probed = probes.filter(experiment=OuterRef("experiment"), finished_at__gt=OuterRef("finished_at"))
    Inspection.objects.filter(Exists(probed), state=InspectionState.DONE).update(state=InspectionState.WAITING)


def _missed_experiments() -> None:
    """Scored experiments whose message was lost; older ones than a day before the last inspection were seen."""
    last = Inspection.objects.aggregate(last=Max("finished_at"))["last"]
    unseen = _looked_at().filter(inspection=None)
    # imported ones stand on references: their predictions stayed in the lab where they come from
    unseen = unseen.exclude(benchmark__state=BenchmarkState.REFERENCE)
    if last is not None:
        unseen = unseen.filter(finished_at__gt=last - _OVERLAP)
    keys = list(unseen.order_by("id").values_list("pk", flat=True)[:MOST_VISITED])
    Inspection.objects.bulk_create((Inspection(experiment_id=key) for key in keys), ignore_conflicts=True)


def _looked_at() -> "QuerySet[Experiment]":
    """What detectors look at: scored experiments, and code that failed, which may have looked around before."""
    failed_code = Q(state=ExperimentState.FAILED, snapshot__isnull=False)
    return Experiment.objects.filter(Q(state=ExperimentState.SCORED) | failed_code)


def _missed_uploads() -> None:
    """Benchmarks with evaluations of uploads that their inspection has not seen."""
    for meter in LeakMeter.objects.filter(queries__gt=0):
        row, _ = Inspection.objects.get_or_create(benchmark_id=meter.benchmark_id)
        if _has_news(row):
            Inspection.objects.filter(pk=row.pk, state=InspectionState.DONE).update(state=InspectionState.WAITING)


def _ask(row: Inspection, made: bool) -> None:
    if made:
        return
    ended = Q(state__in=[InspectionState.DONE, InspectionState.FAILED])
    Inspection.objects.filter(pk=row.pk).update(asked=F("asked") + 1)
    Inspection.objects.filter(ended, pk=row.pk).update(state=InspectionState.WAITING, attempt=0)


def _held(claim: Claim) -> Inspection:
    row = Inspection.objects.select_for_update().filter(pk=claim.inspection, lease_owner=claim.token).first()
    if row is None or row.state != InspectionState.RUNNING:
        raise LeaseLost(f"inspection {claim.inspection} is no longer held")
    return row


def _leave(row: Inspection, state: str) -> None:
    row.state, row.lease_owner, row.lease_until = state, "", None
    row.save()
    if state == InspectionState.WAITING:
        again = dispatch.inspect if row.experiment_id else dispatch.inspect_uploads
        again(row.experiment_id or row.benchmark_id or 0)
