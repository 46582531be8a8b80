"""Buttons of the pages: each calls one service, says what came of it, and goes back to the page."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from experiments.errors import LabError
from experiments.permissions import can_manage_benchmarks, can_rerun
from experiments.selectors.api_benchmarks import benchmark_of
from experiments.selectors.api_experiments import experiment_of
from experiments.services.benchmarks import request_preparation
from experiments.services.experiments import cancel_experiment, rerun_experiment
from experiments.views.access import action, objection, person


@action
def experiment_cancel(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Stops what has not ended; a second click, or one that came too late, changes nothing and says so."""
    experiment_of(request.user, experiment_id)
    try:
        cancel_experiment(user=person(request), experiment_id=experiment_id)
        messages.success(request, "Cancelled. What was scored before stays.")
    except LabError as error:
        messages.error(request, objection(error))
    return redirect("experiment", experiment_id)


@action
def experiment_rerun(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """The same method and options on fresh seeds, as an experiment of its own."""
    experiment_of(request.user, experiment_id)
    if not can_rerun(request.user):
        raise PermissionDenied
    try:
        rerun = rerun_experiment(user=person(request), experiment_id=experiment_id)
    except LabError as error:
        messages.error(request, objection(error))
        return redirect("experiment", experiment_id)
    messages.success(request, f"Submitted as #{rerun.pk}, with {rerun.seeds} fresh seeds.")
    return redirect("experiment", rerun.pk)


@action
def benchmark_prepare(request: HttpRequest, slug: str) -> HttpResponse:
    """Asks the workers to prepare a benchmark."""
    benchmark_of(request.user, slug)
    if not can_manage_benchmarks(request.user):
        raise PermissionDenied
    try:
        request_preparation(user=person(request), slug=slug)
        messages.success(request, "A worker will take it up; its progress shows here.")
    except LabError as error:
        messages.error(request, objection(error))
    return redirect("benchmark", slug)
