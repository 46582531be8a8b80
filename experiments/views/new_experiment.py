"""The page of a new experiment: a method, its options, a benchmark."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods
from django_htmx.http import replace_url

from experiments.errors import LabError
from experiments.forms import NewExperiment, initial_values
from experiments.models import Experiment, Method
from experiments.permissions import can_submit
from experiments.selectors.new_experiment import benchmarks_for, chosen_method, copied_values, submittable_methods
from experiments.services.experiments import submit_experiment
from experiments.views.access import form_page, is_fragment, person, show


@require_http_methods(["GET", "POST"])
@form_page
def experiment_new(request: HttpRequest) -> HttpResponse:
    """The form, filled from the address (?method=, ?benchmark=, ?copy=ID); htmx asks for it when the method changes."""
    if not can_submit(request.user):
        raise PermissionDenied
    methods = submittable_methods()
    asked = request.POST if request.method == "POST" else request.GET
    copied = copied_values(request.user, request.GET.get("copy", ""))
    method = chosen_method(methods, asked.get("method") or copied.get("method", ""))
    if method is None:
        return show(request, "experiments/experiment_new.html", {"methods": []})
    form = _form(request, method, copied)
    if request.method == "POST" and form.is_valid() and (experiment := _submit(request, form)):
        messages.success(request, f"Submitted as #{experiment.pk}: {experiment.seeds} seeds wait for a worker.")
        return redirect("experiment", experiment.pk)
    context = {"form": form, "method": method, "methods": methods}
    answer = show(request, "experiments/experiment_new.html", context, fragment="experiments/_experiment_form.html")
    if is_fragment(request):
        return replace_url(answer, f"{request.path}?method={method.name}")
    answer.status_code = 422 if form.errors else 200
    return answer


def _form(request: HttpRequest, method: Method, copied: dict[str, Any]) -> NewExperiment:
    benchmarks = benchmarks_for(request.user, method)
    if request.method == "POST":
        return NewExperiment(request.POST, method=method, benchmarks=benchmarks)
    own_options = copied.get("options", {}) if copied.get("method") == method.name else {}
    plain = {key: value for key, value in {**copied, **request.GET.dict()}.items() if key != "options"}
    return NewExperiment(initial=initial_values(plain, own_options), method=method, benchmarks=benchmarks)


def _submit(request: HttpRequest, form: NewExperiment) -> Experiment | None:
    given = form.cleaned_data
    try:
        return submit_experiment(
            user=person(request),
            benchmark=given["benchmark"],
            method=form.method.name,
            options=form.options(),
            title=given["title"],
            hypothesis=given["hypothesis"],
            seeds=given["seeds"],
        )
    except LabError as error:
        form.blame(error.pointer, str(error))
        return None
