"""Looks after what was lost: puts expired leases back, and wakes workers up for what waits."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from experiments import dispatch
from experiments.lifecycle import EXPERIMENT_TERMINAL, BenchmarkState, ExperimentState, RunState
from experiments.models import Benchmark, Experiment, Run, Upload
from experiments.selectors.workers_page import queue_depths
from experiments.services.benchmarks import request_next_builtin
from experiments.services.preparation import step_of, wake
from experiments.services.probes import visit_probes
from experiments.services.states import move_benchmark, move_runs, settle
from experiments.transfer.models import TransferCell

log = logging.getLogger(__name__)

MOST_WAKE_UPS = 100  # per queue and visit
_PATIENCE = timedelta(seconds=3)  # an upload younger than this is still on its first message


@dataclass(frozen=True, slots=True)
class Reaped:
    """What one visit found: runs put back, runs failed for good, preparations put back, wake-ups sent."""

    requeued: int
    failed: int
    preparations: int
    wake_ups: int


def reap() -> Reaped:
    """One visit; two at once do no harm."""
    requeued, failed = _reap_runs()
    preparations = _reap_preparations()
    request_next_builtin()
    return Reaped(requeued, failed, preparations, _wake_the_sleeping())


def _reap_runs() -> tuple[int, int]:
    expired = Run.objects.expired(timezone.now()).order_by().values_list("experiment_id", flat=True).distinct()
    requeued = failed = 0
    for experiment_id in list(expired):
        back, ended = _reap_experiment(experiment_id)
        requeued, failed = requeued + back, failed + ended
    return requeued, failed


@transaction.atomic
def _reap_experiment(experiment_id: int) -> tuple[int, int]:
    locked = Experiment.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    experiment = locked.select_related("benchmark").filter(pk=experiment_id).first()
    if experiment is None:  # its worker is just writing its results, or another reaper is here
        return 0, 0
    runs = list(
        Run.objects.expired(timezone.now())
        .filter(experiment=experiment)
        .select_for_update(no_key=True)
        .defer("curves", "log")
        .order_by("id")
    )
    if not runs:
        return 0, 0
    again = [run for run in runs if run.attempt < settings.RUN_ATTEMPTS]
    spent = [run for run in runs if run.attempt >= settings.RUN_ATTEMPTS]
    reason = _reason(runs[0].worker, settings.RUN_ATTEMPTS)
    log.warning("%s: %s fell silent; %d runs put back, %d given up", experiment, runs[0].worker, len(again), len(spent))
    move_runs(experiment, again, RunState.QUEUED)
    move_runs(experiment, spent, RunState.FAILED, error=reason)
    settle(experiment)
    return len(again), len(spent)


def _reap_preparations() -> int:
    count = 0
    for slug in list(Benchmark.objects.expired(timezone.now()).values_list("slug", flat=True)):
        with transaction.atomic():
            expired = Benchmark.objects.expired(timezone.now()).filter(slug=slug)
            row = expired.select_for_update(skip_locked=True, no_key=True).first()
            if row is None:
                continue
            count += 1
            worker = row.lease_owner.partition("#")[0]
            no_lease: dict[str, Any] = {"lease_owner": "", "lease_until": None}
            if row.attempt >= settings.RUN_ATTEMPTS:
                reason = f"{step_of(row)}: {_reason(worker, row.attempt)}"
                move_benchmark(row, BenchmarkState.FAILED, error=reason, **no_lease)
            else:
                Benchmark.objects.filter(pk=row.pk).update(**no_lease)
                log.warning("the preparation of %s is put back: %s stopped answering", slug, worker)
    return count


def _wake_the_sleeping() -> int:
    """Send as many messages as rows wait and none is under way for.

    A message is no claim, so counting is enough: training takes the most urgent experiment whatever its message
    says, and a surplus one finds nothing to do.
    """
    depths = queue_depths()
    if depths is None:
        return 0
    sent = visit_probes(depths=depths)
    untrained = Run.objects.filter(experiment=OuterRef("pk"), state=RunState.QUEUED)
    unscored = Run.objects.filter(experiment=OuterRef("pk"), state=RunState.EVALUATING)
    busy = Run.objects.filter(experiment=OuterRef("pk"), state__in=[RunState.QUEUED, RunState.RUNNING])
    alive = Experiment.objects.filter(state__in=[ExperimentState.QUEUED, ExperimentState.RUNNING])
    running = Experiment.objects.filter(state=ExperimentState.RUNNING)
    to_train = alive.filter(Exists(untrained)).order_by(F("priority").desc(), "id")
    to_score = running.filter(Exists(unscored) | ~Exists(busy)).order_by("id")
    uploads = Upload.objects.filter(evaluation=None, created_at__lt=timezone.now() - _PATIENCE).order_by("id")
    unjudged = TransferCell.objects.filter(judged_at=None, experiment__state__in=EXPERIMENT_TERMINAL).order_by("id")
    preparing = Benchmark.objects.filter(state=BenchmarkState.PREPARING, lease_until=None)
    if depths["gpu"] < MOST_WAKE_UPS:
        for pk in list(to_train.values_list("pk", flat=True)[depths["gpu"] : MOST_WAKE_UPS]):
            dispatch.train(pk)
            sent += 1
    if depths["evaluation"] < MOST_WAKE_UPS:
        for pk in list(to_score.values_list("pk", flat=True)[:MOST_WAKE_UPS]):
            dispatch.evaluate(pk)
            sent += 1
        for pk in list(uploads.values_list("pk", flat=True)[:MOST_WAKE_UPS]):
            dispatch.score_upload(pk)
            sent += 1
        for pk in list(unjudged.values_list("experiment_id", flat=True)[:MOST_WAKE_UPS]):
            dispatch.judge_cell(pk)
            sent += 1
    if max(depths["gpu"], depths["evaluation"]) < MOST_WAKE_UPS:
        for row in preparing:
            wake(row)
            sent += 1
    return sent


def _reason(worker: str, attempts: int) -> str:
    times = "once" if attempts == 1 else f"{attempts} times"
    return (
        f"the worker stopped renewing its lease {times} (last: {worker or 'unknown'}): "
        "it was killed, ran out of memory, or lost its connection"
    )
