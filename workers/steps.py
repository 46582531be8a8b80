"""One step of a benchmark's preparation under its lease: progress to the row, failures to the row, never twice."""

import logging
from collections.abc import Callable

from django.db import DatabaseError

from experiments.heartbeat import Heartbeat
from experiments.services.leases import LeaseLost
from experiments.services.preparation import (
    PreparationClaim,
    fail_preparation,
    release_preparation,
    renew_preparation,
    report_preparation,
)
from workers.lease import Reporter
from workers.w2s.spec import Progress, Report

log = logging.getLogger(__name__)

REPORT_SECONDS = 2.0  # each report is an event that every viewer gets


class Postponed(Exception):
    """Something more urgent waits for this worker; the step is given back untried."""


def run_step(claim: PreparationClaim, work: Callable[[Report], None]) -> bool:
    """Do the work, which writes its own result under the claim. Returns: whether it was done.

    Raises: what the work raised, after its reason was written into the row.
    """
    try:
        with Heartbeat(
            renew=lambda: renew_preparation(token=claim.token),
            worker=claim.worker,
            doing=f"preparing {claim.slug}: {claim.step}",
        ) as heartbeat:
            work(Reporter(heartbeat, lambda progress: _write(claim, progress), seconds=REPORT_SECONDS))
        return True
    except LeaseLost as error:
        log.warning("%s: %s; its result is dropped", claim.slug, error)
    except Postponed:
        release_preparation(claim=claim)
    except DatabaseError:
        raise  # the lease runs out and the reaper puts the step back
    except Exception as error:
        _fail(claim, f"{claim.step}: {type(error).__name__}: {error}")
        raise
    except BaseException:  # the worker is told to stop
        release_preparation(claim=claim)
        raise
    return False


def _write(claim: PreparationClaim, progress: Progress) -> None:
    report_preparation(claim=claim, stage=progress.stage, done=progress.done, total=progress.total)


def _fail(claim: PreparationClaim, reason: str) -> None:
    try:
        fail_preparation(claim=claim, reason=reason)
    except LeaseLost as lost:
        log.warning("%s: %s", claim.slug, lost)
