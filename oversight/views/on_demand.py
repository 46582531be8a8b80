"""The buttons that have an experiment probed, or read by the monitor."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from experiments.errors import LabError
from experiments.views.access import action, objection, person
from oversight.services.probes import request_probe
from oversight.services.readings import ask_for_reading


@action
def experiment_probe(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Every kind that is not under way."""

    def ask() -> str:
        made = request_probe(user=person(request), experiment_id=experiment_id)
        return f"{len(made)} probes wait for a worker." if made else "Every probe of it is under way already."

    return _asked(request, experiment_id, ask)


@action
def experiment_read(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """A reading of the monitor."""

    def ask() -> str:
        reading = ask_for_reading(user=person(request), experiment_id=experiment_id)
        return f"The monitor: {reading.get_state_display().lower()}."

    return _asked(request, experiment_id, ask)


def _asked(request: HttpRequest, experiment_id: int, ask: Callable[[], str]) -> HttpResponse:
    try:
        messages.success(request, ask())
    except LabError as error:
        messages.error(request, objection(error))
    return redirect("experiment", experiment_id)
