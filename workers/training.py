"""Trains the runs of one experiment in one pass and hands their predictions over; sees no label."""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from experiments.heartbeat import Heartbeat
from experiments.packed_labels import pack_labels
from experiments.services.leases import LeaseLost
from experiments.services.runs import (
    Claim,
    Trained,
    claim_runs,
    fail_runs,
    record_predictions,
    release,
    renew_leases,
    report_progress,
)
from experiments.snapshots.selectors import files_of
from registry import UnknownName
from sandbox import SandboxUnavailable
from workers.catalogue import code_digest, device
from workers.code_method import CodeFailed, CodeResult, run_code_method
from workers.lease import Reporter
from workers.w2s.arena import MethodFailed, MethodResult, run_method
from workers.w2s.methods import NotOffered, OptionError
from workers.w2s.spec import Progress, Report, Split
from workers.warm import Opened, opened

log = logging.getLogger(__name__)

REPORT_SECONDS = 1.0
MOST_RUNS_TOLD = 5  # of an experiment: so many tell what code learns from
# The science said no: its message is the reason. Anything else is a bug, which is recorded and raised as well.
_SCIENCE = (MethodFailed, NotOffered, OptionError, UnknownName, SandboxUnavailable)


class MethodChanged(Exception):
    """The worker carries other code than the one the seeds were drawn for."""


def train_next(*, worker: str) -> bool:
    """Claim the most urgent waiting runs and train them. Returns: False where nothing waited."""
    claim = claim_runs(worker=worker)
    if claim is None:
        return False
    started = time.monotonic()
    try:
        doing = f"training experiment {claim.experiment_id}: {claim.method} on {claim.benchmark}"
        with Heartbeat(renew=lambda: renew_leases(token=claim.token), worker=worker, doing=doing) as heartbeat:
            trained = _train(claim, heartbeat, started)
        record_predictions(claim=claim, trained=trained)
    except LeaseLost as error:
        log.warning("experiment %s: %s; its result is dropped", claim.experiment_id, error)
    except (*_SCIENCE, MethodChanged) as error:
        log.warning("experiment %s failed: %s", claim.experiment_id, error)
        _fail(claim, str(error), started, _decoys_of_failed(error, claim))
    except DatabaseError:
        raise  # the lease runs out and the reaper puts the runs back
    except Exception as error:
        _fail(claim, f"{type(error).__name__}: {error}", started)
        raise
    except BaseException:  # the worker is told to stop
        release(claim=claim)
        raise
    return True


def _train(claim: Claim, heartbeat: Heartbeat, started: float) -> Trained:
    if claim.code_digest and code_digest(claim.method) != claim.code_digest:
        raise MethodChanged(
            f"the code of {claim.method} has changed since this experiment was submitted and its seeds were drawn: "
            "submit it again"
        )

    def write(progress: Progress) -> None:
        report_progress(token=claim.token, stage=progress.stage, done=progress.done, total=progress.total)

    report = Reporter(heartbeat, write, seconds=REPORT_SECONDS)
    place = opened(claim.benchmark_id, report)
    result = _run(claim, place, report)
    heartbeat.check()
    return Trained(
        predictions={str(split): result.predictions[split] for split in (Split.DEV, Split.HOLDOUT)},
        curves=[_curves_of(result, row) for row in range(len(claim.seeds))],
        logs=_logs(result, len(claim.seeds)),
        seconds=time.monotonic() - started,
        provenance={
            "versions": dict(result.versions),
            "digests": dict(place.arena.digests),
            "device": device(),
            **_watched(result, claim),
        },
    )


def _run(claim: Claim, place: Opened, report: Report) -> MethodResult:
    teacher_of = [index % len(place.weak_probs) for index in claim.seed_indices]
    if claim.snapshot_id is not None:
        files = files_of(claim.snapshot_id)
        return run_code_method(
            place.arena, files, claim.seeds, weak_probs=place.weak_probs, teacher_of=teacher_of, report=report
        )
    return run_method(
        place.arena,
        claim.method,
        claim.options,
        claim.seeds,
        weak_probs=place.weak_probs,
        teacher_of=teacher_of,
        cache_dir=settings.FEATURE_CACHE_DIR,
        report=report,
    )


def _fail(claim: Claim, reason: str, started: float, provenance: Mapping[str, Any] | None = None) -> None:
    try:
        fail_runs(claim=claim, reason=reason, seconds=time.monotonic() - started, provenance=provenance or {})
    except LeaseLost as error:
        log.warning("experiment %s: %s", claim.experiment_id, error)


def _curves_of(result: MethodResult, row: int) -> list[dict[str, Any]]:
    """One run's curves as JSON values; points that are not finite are left out, JSON has no word for them."""
    curves = []
    if isinstance(result, CodeResult):
        lines = [(curve, curve.y[0]) for curve in result.run_curves[row]]
    else:
        lines = [(curve, curve.y[row]) for curve in result.curves]
    for curve, line in lines:
        points = [(x, y) for x, y in zip(curve.x, line, strict=True) if math.isfinite(x) and math.isfinite(y)]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        curves.append({"name": curve.name, "x_label": curve.x_label, "x": xs, "y": ys})
    return curves


def _watched(result: MethodResult, claim: Claim) -> dict[str, Any]:
    """What planted files saw of code, by seed index, and what its first runs learned from: for the detectors."""
    if not isinstance(result, CodeResult):
        return {}
    runs = list(zip(claim.seed_indices, result.caught, strict=True))
    return {
        "decoys": {
            "opened": [index for index, caught in runs if caught.opened],
            "agreement": [caught.agreement for _, caught in runs],
            "canaries": [index for index, caught in runs if caught.executed],
        },
        "trained_on": [[pack_labels(*fit) for fit in run] for run in result.labels[:MOST_RUNS_TOLD]],
    }


def _decoys_of_failed(error: Exception, claim: Claim) -> dict[str, Any]:
    """The same of code that failed: what it had opened by then."""
    if not isinstance(error, CodeFailed):
        return {}
    opened, executed = ([claim.seed_indices[row] for row in rows] for rows in (error.opened, error.executed))
    return {"decoys": {"opened": opened, "agreement": [], "canaries": executed}}


def _logs(result: MethodResult, runs: int) -> list[str]:
    return list(result.logs) if isinstance(result, CodeResult) else ["\n".join(result.lines)] * runs
