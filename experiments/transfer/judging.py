"""The verdict on one cell, reached where labels may be read: on an evaluation worker, once, after its experiment."""

import logging
import math
from dataclasses import asdict
from typing import Any, NamedTuple

from django.db import DatabaseError, transaction
from django.utils import timezone

from experiments import events
from experiments.lifecycle import EXPERIMENT_TERMINAL, ExperimentState, StudyState, Verdict
from experiments.models import Experiment
from experiments.scoring import frozen_arms, right_answers_of
from experiments.transfer.models import TransferCell, TransferStudy
from experiments.transfer.plans import ALPHA, FEWEST_RUNS, SPLIT
from metrics import CANDIDATE, CEILING, VANILLA, WEAK, Estimate
from transferstats.cells import Cell
from transferstats.sensitivity import resampled_interval, with_failures
from transferstats.sentences import sentence
from transferstats.verdict import judge

log = logging.getLogger(__name__)

_LONGEST_REASON = 2000
_GAP = {CEILING: 1.0, WEAK: -1.0}


class Judged(NamedTuple):
    """What a cell's row gets: a verdict with its numbers, or why it did not run."""

    verdict: Verdict
    numbers: dict[str, Any]
    error: str = ""


def judge_cell(experiment_id: int) -> bool:
    """Judge the cell whose experiment this is, if that has ended and nobody has. Safe to repeat.

    Returns: whether there was anything to do. A storage that is away raises OSError, and is tried again.
    """
    study_id = TransferCell.objects.filter(experiment=experiment_id).values_list("study", flat=True).first()
    if study_id is None:
        return False
    with transaction.atomic():
        # the study first: of two cells that end at once, the later sees that the other is judged
        study = TransferStudy.objects.select_for_update().get(pk=study_id)
        cells = TransferCell.objects.select_related("experiment__benchmark").select_for_update(of=("self",))
        cell = cells.filter(experiment=experiment_id, judged_at=None, experiment__state__in=EXPERIMENT_TERMINAL).first()
        if cell is None:
            return False
        cell.verdict, cell.numbers, cell.error = _judged(study, cell.experiment)
        cell.judged_at = timezone.now()
        cell.save(update_fields=["verdict", "numbers", "error", "judged_at"])
        payload = {"study": study.pk, "experiment": study.experiment_id, "benchmark": cell.experiment.benchmark.slug}
        events.record("transfer.judged", f"transfer_study:{study.pk}", payload=payload)
        _finish(study)
    return True


def _finish(study: TransferStudy) -> None:
    if study.state != StudyState.RUNNING or study.cells.filter(judged_at=None).exists():
        return
    TransferStudy.objects.filter(pk=study.pk).update(state=StudyState.DONE, finished_at=timezone.now())
    payload = {"study": study.pk, "experiment": study.experiment_id, "state": StudyState.DONE}
    events.record("transfer.done", f"transfer_study:{study.pk}", payload=payload)


def _judged(study: TransferStudy, experiment: Experiment) -> Judged:
    if experiment.state != ExperimentState.SCORED:
        return _not_run(experiment.error or f"its experiment was {experiment.state}")
    try:
        return _measured(study, experiment)
    except (DatabaseError, OSError):
        raise
    except Exception as error:  # labels that were tampered with, too few runs: a verdict on that would be worse
        log.exception("%s is not judged", experiment)
        return _not_run(f"not judged: {error}")


def _not_run(reason: str) -> Judged:
    return Judged(Verdict.NOT_RUN, {}, reason[:_LONGEST_REASON])


def _measured(study: TransferStudy, experiment: Experiment) -> Judged:
    candidate = right_answers_of(experiment, SPLIT)
    arms = frozen_arms(experiment.benchmark)[SPLIT]
    given = {"weak": arms.weak, "vanilla": arms.vanilla, "ceiling": arms.ceiling, "groups": arms.groups}
    failed = study.seeds - len(candidate)
    if len(candidate) < FEWEST_RUNS:
        return _not_run(f"{len(candidate)} of {study.seeds} runs were scored, and two are needed for a verdict")
    cell = Cell(candidate=candidate, **given)
    verdict = judge(cell, study.theta_min, ALPHA)
    pgr = cell.arms.ratio({CANDIDATE: 1, WEAK: -1}, _GAP)
    without = judge(with_failures(candidate=candidate, planned=study.seeds, **given), study.theta_min, ALPHA)
    numbers = {
        "accuracies": {name: cell.arms.means[name] for name in (WEAK, CANDIDATE, VANILLA, CEILING)},
        "pgr": _stored(pgr),
        "over_vanilla": _stored(cell.arms.ratio({CANDIDATE: 1, VANILLA: -1}, _GAP)),
        "lower": verdict.lower,
        "upper": verdict.upper,
        "p": verdict.p_transfers,
        "gap_over_se": verdict.gap_over_se if math.isfinite(verdict.gap_over_se) else None,
        "failed": failed,
        # runs that failed are never replaced: what is left if each of them had recovered nothing
        "sensitivity": {"verdict": without.outcome, "pgr": without.pgr} if failed else None,
        "bootstrap": resampled_interval(cell, seed=experiment.pk),
        "settle": None if verdict.needed is None else asdict(verdict.needed),
        "says": sentence(verdict),
    }
    return Judged(Verdict(verdict.outcome), numbers)


def _stored(estimate: Estimate) -> dict[str, Any] | None:
    return None if estimate.value is None else asdict(estimate)
