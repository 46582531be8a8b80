"""Holds what paused submitters have queued: control that comes down as data."""

from collections.abc import Iterable

from django.db import models, transaction

from experiments import dispatch
from experiments.lifecycle import EXPERIMENT_TERMINAL
from experiments.models import Experiment


def lock(submitters: Iterable[int]) -> None:
    """Take the rows of what these accounts have not ended, by id, before the first event. Needs a transaction.

    Workers hold an experiment when they write its event; whoever held the log first and then asked for the experiment
    would wait for them for ever.
    """
    list(unfinished(submitters).select_for_update(no_key=True).order_by("id").values_list("pk", flat=True))


@transaction.atomic
def hold(submitters: Iterable[int]) -> int:
    """Queued runs of these accounts wait from now on; those being trained go on. Returns: how many experiments."""
    return unfinished(submitters).filter(held=False).update(held=True)


@transaction.atomic
def release(submitters: Iterable[int]) -> int:
    """Let them be trained again. Returns: how many experiments."""
    waiting = list(unfinished(submitters).filter(held=True).values_list("pk", flat=True))
    Experiment.objects.filter(pk__in=waiting).update(held=False)
    for experiment_id in waiting:
        dispatch.train(experiment_id)
    return len(waiting)


def unfinished(submitters: Iterable[int]) -> "models.QuerySet[Experiment]":
    """What these accounts have submitted and nothing has ended."""
    found: models.QuerySet[Experiment] = Experiment.objects.filter(submitter__in=list(submitters))
    return found.exclude(state__in=EXPERIMENT_TERMINAL)
