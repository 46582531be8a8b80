"""Pages of workers and methods: what the lab works with."""

from django.http import HttpRequest, HttpResponse

from experiments.charts import prepare
from experiments.permissions import can_submit
from experiments.selectors.method_page import method_list, method_page_of
from experiments.selectors.workers_page import health, leases, recent_failures, workers
from experiments.views.access import is_fragment, page, show


@page
def worker_list(request: HttpRequest) -> HttpResponse:
    """Queues, leases, workers, failures; htmx asks for the tables."""
    context = {"health": health(), "leases": leases(), "workers": workers(), "failures": recent_failures()}
    if not is_fragment(request):
        context["throughput_chart"] = prepare("throughput", request.user, {})
    return show(request, "experiments/workers.html", context, fragment="experiments/_workers_live.html")


@page
def methods(request: HttpRequest) -> HttpResponse:
    """Every recipe."""
    return show(request, "experiments/method_list.html", {"methods": method_list()})


@page
def method_detail(request: HttpRequest, name: str) -> HttpResponse:
    """One recipe: source, options, results."""
    shown = method_page_of(request.user, name)
    context = {"shown": shown, "method": shown.method, "can_submit": can_submit(request.user)}
    context["benchmark_chart"] = prepare("method-benchmarks", request.user, {"method": name})
    return show(request, "experiments/method_detail.html", context)
