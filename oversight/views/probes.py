"""The button that has an experiment probed."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from experiments.errors import LabError
from experiments.views.access import action, objection, person
from oversight.services.probes import request_probe


@action
def experiment_probe(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Every kind that is not under way."""
    try:
        made = request_probe(user=person(request), experiment_id=experiment_id)
    except LabError as error:
        messages.error(request, objection(error))
        return redirect("experiment", experiment_id)
    said = f"{len(made)} probes wait for a worker." if made else "Every probe of it is under way already."
    messages.success(request, said)
    return redirect("experiment", experiment_id)
