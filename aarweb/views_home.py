"""The home page: the lab at a glance."""

from django.http import HttpRequest, HttpResponse

from experiments.charts import prepare
from experiments.permissions import can_submit
from experiments.selectors.activity import latest_events
from experiments.selectors.benchmark_choice import charted_benchmark
from experiments.selectors.benchmark_page import benchmark_cards
from experiments.selectors.dashboard import at_work, state_counts
from experiments.selectors.workers_page import health
from experiments.views.access import page, show

_PARTS = {"now": "home/_now.html", "events": "home/_events.html", "benchmarks": "home/_benchmarks.html"}


@page
def home(request: HttpRequest) -> HttpResponse:
    """Progress, what runs now, queues, benchmarks, events; htmx asks for one part."""
    part = request.GET.get("part", "") if request.htmx else ""  # type: ignore[attr-defined]
    context: dict[str, object] = {"can_submit": can_submit(request.user)}
    if part in ("", "now"):
        counts = state_counts(request.user)
        context |= {
            "counts": counts,
            "total": sum(counts.values()),
            "now": at_work(request.user, counts),
            "health": health(),
        }
    if part in ("", "events"):
        context["events"] = latest_events()
    if part in ("", "benchmarks"):
        context["cards"] = benchmark_cards(request.user)
    if not part:
        context |= _progress(request)
    return show(request, "home/home.html", context, fragment=_PARTS.get(part, "home/_now.html"))


def _progress(request: HttpRequest) -> dict[str, object]:
    benchmark = charted_benchmark(request.user, request.GET.get("benchmark", ""))
    chart = prepare("pgr-over-time", request.user, {"benchmark": benchmark.slug}) if benchmark else None
    return {"charted": benchmark, "progress_chart": chart}
