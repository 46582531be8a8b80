"""Pages of transfer studies: the map, a new study with what it would detect, one study."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from experiments.charts import prepare
from experiments.errors import Forbidden, LabError
from experiments.forms import NewStudy
from experiments.models import Experiment
from experiments.permissions import can_run_studies
from experiments.selectors.scores import dev_score, holdout_score
from experiments.transfer.candidates import candidates_for
from experiments.transfer.models import TransferStudy
from experiments.transfer.selectors import (
    require_studies,
    study_facts,
    study_of,
    study_page,
    studyable,
    transfer_map,
)
from experiments.transfer.services import cancel_study, start_study
from experiments.views.access import action, form_page, is_fragment, objection, page, person, show


@page
def transfer(request: HttpRequest) -> HttpResponse:
    """Which method transfers where, and every study; ?experiment= shows those of one."""
    require_studies(request.user)
    found = study_page(request.user, experiment=request.GET.get("experiment", ""), cursor=request.GET.get("cursor", ""))
    context = {"page": found, "can_run": can_run_studies(request.user), "map": transfer_map(request.user)}
    return show(request, "experiments/transfer.html", context, fragment="experiments/_transfer_studies.html")


@page
def transfer_study(request: HttpRequest, study_id: int) -> HttpResponse:
    """One study: plan, hash, verdicts; htmx asks for what moves."""
    (facts,) = study_facts([study_of(request.user, study_id)])
    context: dict[str, Any] = {"facts": facts, "study": facts.study, "can_run": can_run_studies(request.user)}
    if not is_fragment(request):
        context |= {
            "chart": prepare("transfer-cells", request.user, {"study": study_id}),
            "source_dev": dev_score(facts.study.experiment),
            "source_holdout": holdout_score(facts.study.experiment),
        }
    return show(request, "experiments/transfer_study.html", context, fragment="experiments/_transfer_verdicts.html")


@page
def transfer_plan(request: HttpRequest, study_id: int) -> HttpResponse:
    """The frozen plan, byte for byte what the hash is of."""
    study = study_of(request.user, study_id)
    answer = HttpResponse(study.plan_text, content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="transfer-{study_id}-plan.json"'
    return answer


@require_http_methods(["GET", "POST"])
@form_page
def transfer_new(request: HttpRequest) -> HttpResponse:
    """The form, filled from the address (?experiment=, ?seeds=); htmx asks for it when the number of seeds changes."""
    require_studies(request.user)
    if not can_run_studies(request.user):
        raise Forbidden("you may not run transfer studies")
    given = request.POST if request.method == "POST" else request.GET
    source, refusal = studyable(request.user, given.get("experiment", ""))
    if source is None:
        return show(request, "experiments/transfer_new.html", {"refusal": refusal})
    form = NewStudy(request.POST) if request.method == "POST" else NewStudy(initial=request.GET.dict())
    candidates = candidates_for(source, *form.sizes_or_usual(given))
    chosen = given.getlist("cells")
    if request.method == "POST" and form.is_valid() and (study := _start(request, form, source, chosen)):
        messages.success(request, f"The plan is frozen and {len(chosen)} cells are queued.")
        return redirect("transfer_study", study.pk)
    context = {"form": form, "source": source, "candidates": candidates, "chosen": chosen}
    answer = show(request, "experiments/transfer_new.html", context, fragment="experiments/_transfer_form.html")
    answer.status_code = 422 if form.errors else 200
    return answer


@action
def transfer_cancel(request: HttpRequest, study_id: int) -> HttpResponse:
    """Stops what has not ended."""
    study_of(request.user, study_id)
    try:
        cancel_study(user=person(request), study_id=study_id)
        messages.success(request, "Cancelled. Verdicts that were reached stay; the other cells did not run.")
    except LabError as error:
        messages.error(request, objection(error))
    return redirect("transfer_study", study_id)


def _start(request: HttpRequest, form: NewStudy, source: Experiment, cells: list[str]) -> TransferStudy | None:
    try:
        return start_study(
            user=person(request),
            experiment=source.pk,
            benchmarks=cells,
            theta_min=form.cleaned_data["theta_min"],
            seeds=form.cleaned_data["seeds"],
        )
    except LabError as error:
        form.blame(error.pointer, objection(error))
        return None
