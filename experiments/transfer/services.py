"""Start and stop transfer studies."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from experiments import events
from experiments.errors import Forbidden, IllegalTransition, InvalidInput, LabError
from experiments.guard import Call, guard
from experiments.lifecycle import EXPERIMENT_TERMINAL, StudyState
from experiments.models import Experiment
from experiments.permissions import can_run_studies, can_see_studies
from experiments.seeds import MOST_SEEDS
from experiments.services.descent import lock_for_adding
from experiments.services.experiments import (
    LONGEST_TITLE,
    cancel_locked,
    next_replicate,
    on_benchmark,
    replicate_elsewhere,
)
from experiments.transfer.models import TransferCell, TransferStudy
from experiments.transfer.plans import (
    CONFIRMING_SEEDS,
    FEWEST_SEEDS,
    MOST_CELLS,
    USUAL_SEEDS,
    USUAL_THETA,
    CellPlan,
    canonical,
    check_distinct,
    check_source,
    hash_of,
    plan_cell,
    plan_of,
)
from experiments.transfer.selectors import study_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@transaction.atomic
def preview_study(
    *,
    user: "User",
    experiment: int,
    benchmarks: Sequence[str],
    theta_min: float = USUAL_THETA,
    seeds: int = USUAL_SEEDS,
) -> dict[str, Any]:
    """The plan that `start_study` would freeze now, with each cell's smallest detectable effect; writes nothing.

    Raises: as start_study.
    """
    source, cells = _planned(user, experiment, benchmarks, theta_min, seeds)
    return plan_of(source, cells, theta_min=theta_min, seeds=seeds)


@transaction.atomic
def start_study(
    *,
    user: "User",
    experiment: int,
    benchmarks: Sequence[str],
    theta_min: float = USUAL_THETA,
    seeds: int = USUAL_SEEDS,
) -> TransferStudy:
    """Freeze a plan and queue one experiment per cell; the verdicts come when they have ended.

    experiment: the scored experiment whose method is studied. benchmarks: slugs, its own not among them.
    theta_min: the smallest PGR that counts as transfer, in [0, 1).
    Raises: Forbidden; NotFound; InvalidInput with a pointer; NotReady; Refused.
    """
    source, cells = _planned(user, experiment, benchmarks, theta_min, seeds)
    plan = plan_of(source, cells, theta_min=theta_min, seeds=seeds)
    lock_for_adding()
    source.refresh_from_db(fields=["standing"])  # a verdict that was at work while the plan was made
    check_source(source)
    study = TransferStudy.objects.create(
        experiment=source,
        author=user,
        theta_min=theta_min,
        seeds=seeds,
        confirmatory=seeds >= CONFIRMING_SEEDS,
        plan_text=canonical(plan),
        plan_hash=hash_of(plan),
    )
    for cell in cells:
        run = replicate_elsewhere(
            user=user,
            there=cell.there,
            seeds=seeds,
            replicate=cell.replicate,
            title=f"Transfer study {study.pk}: {source.title}"[:LONGEST_TITLE],
            hypothesis=f"What #{source.pk} won on {source.benchmark.slug} holds on {cell.there.benchmark.slug}.",
        )
        TransferCell.objects.create(study=study, benchmark=cell.there.benchmark, experiment=run)
    payload = {"study": study.pk, "experiment": source.pk, "state": study.state}
    events.record("transfer.started", f"transfer_study:{study.pk}", actor=user, payload=payload)
    return study


@transaction.atomic
def cancel_study(*, user: "User", study_id: int) -> TransferStudy:
    """Stop what has not ended; cells that are judged keep their verdict, the others did not run.

    Raises: NotFound, Forbidden, IllegalTransition if it has ended.
    """
    study = study_of(user, study_id, lock=True)
    if not can_run_studies(user):
        raise Forbidden("you may not stop transfer studies")
    if study.state != StudyState.RUNNING:
        raise IllegalTransition(f"transfer study {study.pk} is {study.state} and cannot be cancelled")
    now = timezone.now()
    TransferStudy.objects.filter(pk=study.pk).update(state=StudyState.CANCELLED, finished_at=now)
    # all rows before the first event: a worker holds an experiment when it asks for the log
    locked = Experiment.objects.select_for_update(no_key=True, of=("self",)).select_related("benchmark")
    cells = locked.filter(transfer_cell__study=study).order_by("id")
    for experiment in [each for each in cells if each.state not in EXPERIMENT_TERMINAL]:
        cancel_locked(experiment, actor=user)
    payload = {"study": study.pk, "experiment": study.experiment_id, "state": StudyState.CANCELLED}
    events.record("transfer.cancelled", f"transfer_study:{study.pk}", actor=user, payload=payload)
    study.refresh_from_db()
    return study


def _planned(
    user: "User", experiment: int, benchmarks: Sequence[str], theta_min: float, seeds: int
) -> tuple[Experiment, list[CellPlan]]:
    if not (can_run_studies(user) and can_see_studies(user)):
        raise Forbidden("you may not run transfer studies")
    guard().admit(user, Call("start_transfer_study", {"experiment": experiment, "cells": list(benchmarks)}))
    _check_numbers(benchmarks, theta_min, seeds)
    visible = Experiment.objects.visible_to(user).select_related("benchmark", "method", "snapshot")
    source = visible.defer("snapshot__files").filter(pk=experiment).first()
    if source is None:
        raise InvalidInput(f"there is no experiment {experiment}", pointer="#/experiment")
    check_source(source)
    cells = [_cell(source, slug, index, seeds) for index, slug in enumerate(benchmarks)]
    check_distinct(cells)
    return source, cells


def _cell(source: Experiment, slug: str, index: int, seeds: int) -> CellPlan:
    pointer = f"#/cells/{index}/benchmark"
    try:
        there = on_benchmark(source, slug)
    except LabError as error:
        error.pointer = pointer
        raise
    # never 0, whose seeds whoever submits the method there gets, now or later
    return plan_cell(source, there, seeds=seeds, replicate=max(next_replicate(there), 1), pointer=pointer)


def _check_numbers(benchmarks: Sequence[str], theta_min: float, seeds: int) -> None:
    if not 1 <= len(benchmarks) <= MOST_CELLS:
        raise InvalidInput(f"{len(benchmarks)} cells: expected 1 to {MOST_CELLS}", pointer="#/cells")
    twice = next((index for index, slug in enumerate(benchmarks) if slug in benchmarks[:index]), None)
    if twice is not None:
        raise InvalidInput(f"{benchmarks[twice]} is named twice", pointer=f"#/cells/{twice}/benchmark")
    if not (math.isfinite(theta_min) and 0 <= theta_min < 1):
        raise InvalidInput(f"theta_min={theta_min}: expected a PGR from 0 to below 1", pointer="#/theta_min")
    if not FEWEST_SEEDS <= seeds <= MOST_SEEDS:
        raise InvalidInput(f"seeds={seeds}: expected {FEWEST_SEEDS} to {MOST_SEEDS}", pointer="#/seeds")
