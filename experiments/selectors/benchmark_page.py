"""Benchmarks as pages show them: baselines, measurability, what uploads have leaked, examples."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.utils import timezone

from experiments.indexes import best_first
from experiments.lifecycle import BenchmarkState, ExperimentState, MethodClass, Standing
from experiments.models import Baseline, Benchmark, Experiment, Item, ReferenceResult
from experiments.permissions import can_see_holdout
from experiments.selectors.api_benchmarks import benchmark_of
from experiments.selectors.api_budgets import leak_of, upload_budget
from experiments.selectors.experiment_page import flat
from experiments.selectors.experiment_table import ExperimentRow, as_rows
from experiments.selectors.leaderboard_page import reference_rows
from experiments.selectors.scores import Score, dev_score
from metrics import MEASURABLE_GAP_OVER_SE

if TYPE_CHECKING:
    from experiments.permissions import Actor

SPLITS = ("teacher_train", "student_train", "dev", "holdout")
SHOWN_SPLITS = ("teacher_train", "student_train", "dev")  # holdout inputs are shown to nobody
EXAMPLES_PER_SPLIT = 2
BEST_SHOWN = 10
# What can be used first, then what will be; arms from the least to the most a student can know.
_BY_STATE: list[str] = [
    BenchmarkState.READY,
    BenchmarkState.PREPARING,
    BenchmarkState.FAILED,
    BenchmarkState.REGISTERED,
    BenchmarkState.REFERENCE,
]
_BY_ARM: list[str] = [Baseline.Arm.WEAK, Baseline.Arm.CONTROL, Baseline.Arm.VANILLA, Baseline.Arm.CEILING]


@dataclass(frozen=True, slots=True)
class Gap:
    """Ceiling above weak on one split; SE taken as if the two were independent, which errs on the safe side."""

    split: str
    value: float
    se: float
    over_se: float
    measurable: bool


@dataclass(frozen=True, slots=True)
class Leak:
    """What uploaded predictions may have told about the dev labels.

    bias_bound: how far dev accuracy may be off for it, with probability .95; None without items.
    """

    queries: int
    bits: float
    bias_bound: float | None
    bound_in_pgr: float | None
    used: int
    limit: int
    window_hours: float


@dataclass(frozen=True, slots=True)
class BenchmarkCard:
    """One line of the list."""

    benchmark: Benchmark
    gap: Gap | None
    experiments: int
    best: Experiment | None
    best_score: Score | None
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class BenchmarkPage:
    """What the page of one benchmark shows."""

    benchmark: Benchmark
    sizes: list[tuple[str, int]]
    baselines: list[Baseline]
    gaps: list[Gap]
    measurable_at: float
    leak: Leak
    examples: list[Item]
    best: list[ExperimentRow]
    references: list[ReferenceResult]
    provenance: list[tuple[str, str]]
    seconds_left: float | None
    sees_holdout: bool


def benchmark_cards(user: "Actor") -> list[BenchmarkCard]:
    """Every benchmark with its gap on dev, its number of experiments and the best of them; ready ones first."""
    dev = Baseline.objects.filter(split="dev").defer("accuracies", "provenance")
    benchmarks = Benchmark.objects.visible_to(user).prefetch_related(Prefetch("baselines", dev))
    counted = Experiment.objects.visible_to(user).values_list("benchmark").annotate(Count("id")).order_by()
    counts = dict(counted)
    best = _best_counted()
    cards = [_card(each, best.get(each.pk), counts.get(each.pk, 0)) for each in benchmarks]
    return sorted(cards, key=lambda card: (_BY_STATE.index(card.benchmark.state), card.benchmark.slug))


def benchmark_page_of(user: "Actor", slug: str) -> BenchmarkPage:
    """Raises: Http404."""
    benchmark = benchmark_of(user, slug)
    holdout = can_see_holdout(user)
    lines = [line for line in benchmark.baselines.all() if holdout or line.split != "holdout"]
    lines.sort(key=lambda line: (line.split, _BY_ARM.index(line.arm)))
    gaps = [gap for split in ("dev", "holdout") if (gap := _gap(lines, split))]
    best = _counted().filter(benchmark=benchmark).select_related("method", "submitter", "benchmark")[:BEST_SHOWN]
    return BenchmarkPage(
        benchmark=benchmark,
        sizes=[(split, benchmark.sizes[split]) for split in SPLITS if split in benchmark.sizes],
        baselines=lines,
        gaps=gaps,
        measurable_at=MEASURABLE_GAP_OVER_SE,
        leak=_leak(benchmark, next((gap for gap in gaps if gap.split == "dev"), None)),
        examples=_examples(benchmark),
        best=as_rows(user, list(best)),
        references=reference_rows(benchmark),
        provenance=flat(benchmark.provenance),
        seconds_left=seconds_left(benchmark),
        sees_holdout=holdout,
    )


def seconds_left(benchmark: Benchmark) -> float | None:
    """How long the present stage of a preparation will still take at its pace so far; None before it has one."""
    if benchmark.state != BenchmarkState.PREPARING or not benchmark.progress_done or benchmark.stage_started_at is None:
        return None
    elapsed = (timezone.now() - benchmark.stage_started_at).total_seconds()
    return elapsed / benchmark.progress_done * max(benchmark.progress_total - benchmark.progress_done, 0)


def _card(benchmark: Benchmark, best: Experiment | None, experiments: int) -> BenchmarkCard:
    return BenchmarkCard(
        benchmark=benchmark,
        gap=_gap(benchmark.baselines.all(), "dev"),
        experiments=experiments,
        best=best,
        best_score=dev_score(best) if best else None,
        seconds_left=seconds_left(benchmark),
    )


def _gap(lines: Iterable[Baseline], split: str) -> Gap | None:
    arms = {line.arm: line for line in lines if line.split == split}
    weak, ceiling = arms.get(Baseline.Arm.WEAK), arms.get(Baseline.Arm.CEILING)
    if weak is None or ceiling is None:
        return None
    se = math.hypot(weak.se, ceiling.se)
    over = (ceiling.mean - weak.mean) / se if se else math.inf
    return Gap(split, ceiling.mean - weak.mean, se, over, over >= MEASURABLE_GAP_OVER_SE)


def _leak(benchmark: Benchmark, gap: Gap | None) -> Leak:
    leak, budget = leak_of(benchmark, gap.value if gap else None), upload_budget(benchmark)
    return Leak(
        queries=leak.queries,
        bits=leak.bits,
        bias_bound=leak.bias_bound,
        bound_in_pgr=leak.bias_bound_pgr,
        used=budget.used,
        limit=budget.limit,
        window_hours=budget.window_seconds / 3600,
    )


def _examples(benchmark: Benchmark) -> list[Item]:
    """A few inputs without labels, from the splits whose inputs people may see."""
    shown = Item.objects.filter(benchmark=benchmark, split__in=SHOWN_SPLITS, position__lt=EXAMPLES_PER_SPLIT)
    return sorted(shown, key=lambda item: (SHOWN_SPLITS.index(item.split), item.position))


def _best_counted() -> dict[int, Experiment]:
    """The best weak-to-strong experiment of each benchmark: what ignores the teacher is no answer to its question."""
    of_each = _counted().filter(benchmark=OuterRef("pk")).values("pk")[:1]
    best = Benchmark.objects.annotate(best=Subquery(of_each)).exclude(best=None).values_list("best", flat=True)
    columns = ("id", "title", "dev_pgr", "dev_score", "benchmark_id", "method_class")
    return {each.benchmark_id: each for each in Experiment.objects.filter(pk__in=list(best)).only(*columns)}


def _counted() -> QuerySet[Experiment]:
    """Weak-to-strong experiments whose score counts, the best first."""
    return Experiment.objects.filter(
        standing=Standing.COUNTED,
        state=ExperimentState.SCORED,
        method_class=MethodClass.WEAK_TO_STRONG,
        dev_pgr__isnull=False,
    ).order_by(*best_first("dev_pgr"))
