"""Pages of experiments: the table, one of them, several side by side, exports."""

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse

from experiments.charts import prepare
from experiments.charts._ids import read_ids
from experiments.forms import ExperimentFilters
from experiments.permissions import can_cancel, can_rerun, can_see_studies, can_submit
from experiments.selectors.activity import events_of
from experiments.selectors.api_experiments import experiment_of
from experiments.selectors.compare_page import compare_page_of
from experiments.selectors.experiment_page import experiment_page_of, export_of
from experiments.selectors.experiment_table import as_rows, experiment_page, export_rows
from experiments.selectors.people import submitters
from experiments.views.access import is_fragment, page, show
from experiments.views.exports import csv_answer

_PARTS = {name: f"experiments/_experiment_{name}.html" for name in ("score", "runs", "actions")}


@page
def experiment_list(request: HttpRequest) -> HttpResponse:
    """The table; htmx asks for the table alone."""
    form = ExperimentFilters(request.GET or None, user=request.user)
    filters = form.chosen() if request.GET else {}
    found = experiment_page(request.user, filters, cursor=request.GET.get("cursor", ""))
    context = {
        "form": form,
        "page": found,
        "filters": filters,
        "export_query": request.GET.urlencode(),
        "can_submit": can_submit(request.user),
        "submitters": submitters(),
    }
    return show(request, "experiments/experiment_list.html", context, fragment="experiments/_experiment_table.html")


@page
def experiment_row(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """One line of the table, for live updates."""
    rows = as_rows(request.user, [experiment_of(request.user, experiment_id)])
    return show(
        request, "experiments/_experiment_row.html", {"row": rows[0]}, fragment="experiments/_experiment_row.html"
    )


@page
def experiment_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The filtered table, all pages of it, as CSV."""
    filters = ExperimentFilters(request.GET, user=request.user).chosen()
    return csv_answer("experiments.csv", export_rows(request.user, filters))


@page
def experiment_detail(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """One experiment; htmx asks for one of the parts that move."""
    shown = experiment_page_of(request.user, experiment_id)
    context = {"shown": shown, "experiment": shown.experiment}
    context |= {"can_cancel": can_cancel(request.user, shown.experiment), "can_rerun": can_rerun(request.user)}
    context |= {"can_submit": can_submit(request.user), "can_study": can_see_studies(request.user)}
    fragment = _PARTS.get(request.GET.get("part", ""), _PARTS["score"])
    if not is_fragment(request):
        context |= {
            "seed_chart": prepare("seed-spread", request.user, {"ids": experiment_id}),
            "curve_chart": prepare("training-curves", request.user, {"experiment": experiment_id}),
            "events": events_of(request.user, f"experiment:{experiment_id}"),
        }
    return show(request, "experiments/experiment_detail.html", context, fragment=fragment)


@page
def experiment_json(request: HttpRequest, experiment_id: int) -> JsonResponse:
    """Everything about one experiment, as far as this person may see it."""
    answer = JsonResponse(export_of(request.user, experiment_id), json_dumps_params={"indent": 2})
    answer["Content-Disposition"] = f'attachment; filename="experiment-{experiment_id}.json"'
    return answer


@page
def experiment_compare(request: HttpRequest) -> HttpResponse:
    """Several experiments side by side: ?ids=3,5 or ?ids=3&ids=5."""
    ids = read_ids(",".join(request.GET.getlist("ids")))
    context: dict[str, object] = {"compared": compare_page_of(request.user, ids)}
    if context["compared"].rows:  # type: ignore[attr-defined]
        joined = {"ids": ",".join(map(str, ids))}
        context |= {
            "score_chart": prepare("compared-scores", request.user, joined),
            "seed_chart": prepare("seed-spread", request.user, joined),
        }
    return show(request, "experiments/experiment_compare.html", context)
