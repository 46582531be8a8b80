"""Runs on their way through a worker: claimed under a lease, renewed, reported on, handed over or given back."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone
from numpy.typing import NDArray

from experiments import dispatch
from experiments.lifecycle import ExperimentState, RunState
from experiments.models import Experiment, Prediction, Run
from experiments.services.leases import LeaseLost, lease_end, new_token
from experiments.services.states import move_experiment, move_runs, settle
from experiments.services.workers import count_runs

LONGEST_LOG = 200_000  # characters kept of one run's log
LONGEST_ERROR = 4_000


@dataclass(frozen=True, slots=True)
class Claim:
    """What one worker holds: runs of one experiment that are trained together in one pass.

    token: the lease's owner, new for every claim, so that a worker's own zombie is a stranger to it.
    seed_indices, seeds, run_ids: in the same order.
    """

    token: str
    worker: str
    experiment_id: int
    benchmark_id: int
    benchmark: str
    method: str
    options: dict[str, Any]
    code_digest: str
    snapshot_id: int | None
    run_ids: tuple[int, ...]
    seed_indices: tuple[int, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """What a worker hands over, one entry per run of its claim.

    predictions: split -> (runs, items) float32 of P(label = 1). curves, logs: per run. seconds: of the worker.
    provenance: digests, versions, device; plain JSON values.
    """

    predictions: Mapping[str, NDArray[np.float32]]
    curves: Sequence[list[dict[str, Any]]]
    logs: Sequence[str]
    seconds: float
    provenance: Mapping[str, Any] = field(default_factory=dict)


@transaction.atomic
def claim_runs(*, worker: str, experiment_id: int | None = None) -> Claim | None:
    """Take the waiting runs of the most urgent experiment (priority, then age), or of one experiment.

    Rows that another worker is claiming are passed over. Returns: None where nothing waits.
    """
    waiting = Run.objects.filter(experiment=OuterRef("pk"), state=RunState.QUEUED)
    found = Experiment.objects.filter(
        Exists(waiting), state__in=[ExperimentState.QUEUED, ExperimentState.RUNNING], held=False
    )
    if experiment_id is not None:
        found = found.filter(pk=experiment_id)
    locked = found.select_for_update(skip_locked=True, no_key=True, of=("self",))
    experiment = locked.select_related("benchmark", "method").order_by("-priority", "id").first()
    if experiment is None:
        return None
    runs = list(experiment.runs.filter(state=RunState.QUEUED).select_for_update(no_key=True).order_by("id"))
    if not runs:  # taken between the two statements
        return None
    token, now = new_token(worker), timezone.now()
    if experiment.state == ExperimentState.QUEUED:
        move_experiment(experiment, ExperimentState.RUNNING, started_at=experiment.started_at or now)
    move_runs(
        experiment,
        runs,
        RunState.RUNNING,
        lease_owner=token,
        lease_until=lease_end(now),
        attempt=F("attempt") + 1,
        started_at=now,
        worker=worker,
        progress_stage="",
        progress_done=0,
        progress_total=0,
        error="",
    )
    return Claim(
        token=token,
        worker=worker,
        experiment_id=experiment.pk,
        benchmark_id=experiment.benchmark_id,
        benchmark=experiment.benchmark.slug,
        method=experiment.method.name,
        options=experiment.options,
        code_digest=experiment.provenance.get("code_digest", ""),
        snapshot_id=experiment.snapshot_id,
        run_ids=tuple(run.pk for run in runs),
        seed_indices=tuple(run.seed_index for run in runs),
        seeds=tuple(run.seed for run in runs),
    )


@transaction.atomic
def renew_leases(*, token: str) -> int:
    """Prolong the leases this token still holds. Returns: how many; 0 means that the work is lost."""
    held = list(_held(token).values_list("id", flat=True))
    return Run.objects.filter(pk__in=held).update(lease_until=lease_end(timezone.now()))


@transaction.atomic
def report_progress(*, token: str, stage: str, done: int, total: int) -> int:
    """Say how far training is. Returns: how many runs this token still holds."""
    held = list(_held(token).values_list("id", flat=True))
    fields = {"progress_stage": stage[:60], "progress_done": done, "progress_total": total}
    return Run.objects.filter(pk__in=held).update(lease_until=lease_end(timezone.now()), **fields)


@transaction.atomic
def record_predictions(*, claim: Claim, trained: Trained) -> None:
    """Write the predictions of every run of the claim and hand them to the scorer; all of it or nothing.

    Raises: LeaseLost if a single run is no longer held under this claim; ValueError on shapes that do not fit.
    """
    _check_shapes(claim, trained)
    experiment, runs = _claimed(claim)
    Prediction.objects.bulk_create(
        _prediction(run.pk, split, probs[row])
        for split, probs in trained.predictions.items()
        for row, run in enumerate(runs)
    )
    for run, curves, log in zip(runs, trained.curves, trained.logs, strict=True):
        run.curves, run.log = curves, _cut(log, LONGEST_LOG)
        run.progress_stage, run.progress_done, run.progress_total = "", 0, 0
    Run.objects.bulk_update(runs, ["curves", "log", "progress_stage", "progress_done", "progress_total"])
    move_runs(experiment, runs, RunState.EVALUATING)
    experiment.worker_seconds += trained.seconds
    experiment.provenance = {**experiment.provenance, **trained.provenance, "worker": claim.worker}
    experiment.save(update_fields=["worker_seconds", "provenance"])
    count_runs(name=claim.worker, done=len(runs))
    dispatch.evaluate(experiment.pk)


@transaction.atomic
def fail_runs(
    *, claim: Claim, reason: str, log: str = "", seconds: float = 0.0, provenance: Mapping[str, Any] | None = None
) -> None:
    """The science failed: every run of the claim ends with this reason. provenance: see Trained. Raises: LeaseLost."""
    experiment, runs = _claimed(claim)
    error = _cut(reason, LONGEST_ERROR)
    move_runs(experiment, runs, RunState.FAILED, error=error, log=_cut(log, LONGEST_LOG))
    known = {**experiment.provenance, **(provenance or {})}
    row = Experiment.objects.filter(pk=experiment.pk)
    row.update(worker_seconds=F("worker_seconds") + seconds, provenance=known)
    count_runs(name=claim.worker, failed=len(runs))
    settle(experiment)


@transaction.atomic
def release(*, claim: Claim) -> None:
    """Give the runs back untried, because the worker is shutting down. Harmless when the lease is lost."""
    try:
        experiment, runs = _claimed(claim)
    except LeaseLost:
        return
    move_runs(experiment, runs, RunState.QUEUED, attempt=F("attempt") - 1)
    settle(experiment)


def _held(token: str) -> Any:
    """Runs under this lease, locked in the order in which everybody locks them."""
    return Run.objects.filter(lease_owner=token, state=RunState.RUNNING).select_for_update(no_key=True).order_by("id")


def _claimed(claim: Claim) -> tuple[Experiment, list[Run]]:
    """The experiment and the runs of a claim, locked. Raises: LeaseLost unless all of them are still held."""
    locked = Experiment.objects.select_for_update(no_key=True, of=("self",)).select_related("benchmark")
    experiment = locked.get(pk=claim.experiment_id)
    runs = list(_held(claim.token))
    if tuple(run.pk for run in runs) != claim.run_ids:
        raise LeaseLost(f"experiment {claim.experiment_id} is no longer held by {claim.worker}")
    return experiment, runs


def _check_shapes(claim: Claim, trained: Trained) -> None:
    for split, probs in trained.predictions.items():
        if probs.ndim != 2 or len(probs) != len(claim.run_ids):
            raise ValueError(f"{split}: predictions of shape {probs.shape} for {len(claim.run_ids)} runs")
    if not len(trained.curves) == len(trained.logs) == len(claim.run_ids):
        raise ValueError("curves and logs need one entry per run")


def _prediction(run_id: int, split: str, probs: NDArray[np.float32]) -> Prediction:
    content = np.ascontiguousarray(probs, dtype="<f4").tobytes()
    return Prediction(run_id=run_id, split=split, probs=content, digest=hashlib.sha256(content).hexdigest())


def _cut(text: str, longest: int) -> str:
    """Fit for a column: no NUL, and of a text that is too long its end, where the reason stands."""
    clean = text.replace("\x00", "")
    return clean if len(clean) <= longest else f"…{clean[-longest + 1 :]}"
