"""Pages of benchmarks, the leaderboard, methods and workers."""

from django.http import HttpRequest, HttpResponse

from experiments.charts import prepare
from experiments.lifecycle import BenchmarkState, MethodClass
from experiments.looks import LOOKS
from experiments.models import Benchmark
from experiments.permissions import can_manage_benchmarks, can_submit
from experiments.selectors.benchmark_choice import board_benchmark
from experiments.selectors.benchmark_page import benchmark_cards, benchmark_page_of
from experiments.selectors.leaderboard_page import CLASSES, board_page, reference_rows
from experiments.views.access import is_fragment, page, show


@page
def benchmark_list(request: HttpRequest) -> HttpResponse:
    """Every benchmark with its state, gap and best experiment."""
    context = {"cards": benchmark_cards(request.user)}
    return show(request, "experiments/benchmark_list.html", context, fragment="experiments/_benchmark_table.html")


@page
def benchmark_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One benchmark; htmx asks for its state alone."""
    shown = benchmark_page_of(request.user, slug)
    context = {"shown": shown, "benchmark": shown.benchmark, "can_submit": can_submit(request.user)}
    context["can_prepare"] = can_manage_benchmarks(request.user)
    if not is_fragment(request):
        context["method_chart"] = prepare("benchmark-methods", request.user, {"benchmark": slug})
    return show(request, "experiments/benchmark_detail.html", context, fragment="experiments/_benchmark_state.html")


@page
def leaderboard(request: HttpRequest) -> HttpResponse:
    """Who is best on a benchmark within a class; reference figures in a tab of their own."""
    benchmarks = list(Benchmark.objects.visible_to(request.user).only("slug", "title", "state"))
    benchmark = board_benchmark(request.user, benchmarks, request.GET.get("benchmark", ""))
    published = benchmark is not None and benchmark.state == BenchmarkState.REFERENCE
    usual = MethodClass.REFERENCE if published else MethodClass.WEAK_TO_STRONG
    method_class = request.GET.get("class") or usual
    context: dict[str, object] = {"benchmarks": benchmarks, "benchmark": benchmark, "method_class": method_class}
    context |= {
        "classes": [(value, LOOKS[value].label) for value in CLASSES],
        "standing": request.GET.get("standing", ""),
    }
    if benchmark and method_class == MethodClass.REFERENCE:
        context["references"] = reference_rows(benchmark)
    elif benchmark and method_class in CLASSES:
        cursor, standing = request.GET.get("cursor", ""), request.GET.get("standing", "")
        context["page"] = board_page(request.user, benchmark.slug, method_class, standing=standing, cursor=cursor)
        context["chart"] = prepare("leaderboard", request.user, {"benchmark": benchmark.slug, "class": method_class})
    return show(request, "experiments/leaderboard.html", context)
