"""Benchmarks and methods as the API tells of them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch, Q, QuerySet
from django.urls import reverse

from experiments.errors import NotFound
from experiments.models import Baseline, Benchmark, Method, ReferenceResult
from experiments.permissions import can_see_holdout
from experiments.selectors.api_budgets import Leak, UploadBudget, leak_of, upload_budget
from experiments.selectors.sealed import for_agents
from metrics import MEASURABLE_GAP_OVER_SE

if TYPE_CHECKING:
    from experiments.permissions import Actor

HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True)
class BenchmarkFacts:
    """One line: the row, and its frozen ends on dev (None before they are measured).

    gap_over_se takes the two ends as independent, which errs on the safe side.
    """

    benchmark: Benchmark
    sizes: Mapping[str, int]
    weak_accuracy: float | None
    weak_se: float | None
    ceiling_accuracy: float | None
    ceiling_se: float | None
    gap: float | None
    gap_over_se: float | None
    measurable: bool | None


@dataclass(frozen=True, slots=True)
class BenchmarkMore(BenchmarkFacts):
    """With what only the page of one benchmark tells."""

    provenance: Mapping[str, Any]
    baselines: Sequence[Baseline]
    budget: UploadBudget
    leak: Leak
    references: Sequence[ReferenceResult]
    data: Mapping[str, str]


def benchmarks_for(user: "Actor", query: Mapping[str, Any]) -> QuerySet[Benchmark]:
    """Benchmarks that the filters let through."""
    found: QuerySet[Benchmark] = Benchmark.objects.visible_to(user)
    if query.get("state"):
        found = found.filter(state=query["state"])
    for word in query.get("search", "").split():
        found = found.filter(Q(slug__icontains=word) | Q(title__icontains=word) | Q(description__icontains=word))
    ends = Baseline.objects.filter(split="dev").defer("accuracies", "provenance")
    return found.prefetch_related(Prefetch("baselines", ends))


def benchmark_facts(user: "Actor", benchmarks: Iterable[Benchmark]) -> list[BenchmarkFacts]:
    """Their lines."""
    holdout = can_see_holdout(user)
    return [BenchmarkFacts(**_facts(each, each.baselines.all(), holdout)) for each in benchmarks]


def benchmark_of(user: "Actor", slug: str) -> Benchmark:
    """Raises: NotFound, also for one that this user may not see."""
    found: Benchmark | None = Benchmark.objects.visible_to(user).filter(slug=slug).first()
    if found is None:
        raise NotFound(f"there is no benchmark {slug!r}")
    return found


def benchmark_detail(user: "Actor", slug: str) -> BenchmarkMore:
    """One benchmark. Raises: NotFound."""
    benchmark = benchmark_of(user, slug)
    holdout = can_see_holdout(user)
    lines = [line for line in benchmark.baselines.order_by("split", "arm") if holdout or line.split != HOLDOUT]
    facts = _facts(benchmark, lines, holdout)
    return BenchmarkMore(
        **facts,
        provenance=benchmark.provenance if holdout else for_agents(benchmark.provenance),
        baselines=lines,
        budget=upload_budget(benchmark),
        leak=leak_of(benchmark, facts["gap"]),
        references=list(benchmark.reference_results.order_by("-pgr_mean")),
        data={name: reverse("api_data", kwargs={"slug": slug, "part": name}) for name in ("train", "dev")},
    )


def methods_for(query: Mapping[str, Any]) -> QuerySet[Method]:
    """Methods that the filters let through."""
    found = Method.objects.all()
    if query.get("class"):
        found = found.filter(method_class=query["class"])
    for word in query.get("search", "").split():
        found = found.filter(Q(name__icontains=word) | Q(title__icontains=word) | Q(summary__icontains=word))
    return found


def method_of(name: str) -> Method:
    """Raises: NotFound."""
    found = Method.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"there is no method {name!r}")
    return found


def _facts(benchmark: Benchmark, lines: Iterable[Baseline], holdout: bool) -> dict[str, Any]:
    arms = {line.arm: line for line in lines if line.split == "dev"}
    weak, ceiling = arms.get(Baseline.Arm.WEAK), arms.get(Baseline.Arm.CEILING)
    gap = over = None
    if weak and ceiling:
        gap = ceiling.mean - weak.mean
        se = math.hypot(weak.se, ceiling.se)
        over = gap / se if se else None
    return {
        "benchmark": benchmark,
        "sizes": benchmark.sizes if holdout else for_agents(benchmark.sizes),
        "weak_accuracy": weak and weak.mean,
        "weak_se": weak and weak.se,
        "ceiling_accuracy": ceiling and ceiling.mean,
        "ceiling_se": ceiling and ceiling.se,
        "gap": gap,
        "gap_over_se": over,
        "measurable": None if over is None else over >= MEASURABLE_GAP_OVER_SE,
    }
