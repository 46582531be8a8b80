"""What the team may still have scored, and what scoring has given away."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from experiments.ladder import bias_bound
from experiments.models import Baseline, Benchmark, LeakMeter, Upload

if TYPE_CHECKING:
    from django.db.models import QuerySet

_ENDS = (Baseline.Arm.WEAK, Baseline.Arm.CEILING)


@dataclass(frozen=True, slots=True)
class UploadBudget:
    """Uploads of the whole team to one benchmark in a sliding window.

    refills_at: when the next place becomes free; None if one is free now, or if the limit is 0.
    """

    budget: str
    benchmark: str
    limit: int
    used: int
    window_seconds: int
    refills_at: datetime | None

    @property
    def left(self) -> int:
        """How many more uploads are scored before a place becomes free."""
        return max(self.limit - self.used, 0)


@dataclass(frozen=True, slots=True)
class Leak:
    """What uploads have told about the dev labels.

    bias_bound: how far a dev accuracy may be off for it, with probability .95; None before there is anything to bound.
    bias_bound_pgr: the same in PGR.
    """

    queries: int
    updates: int
    bits: float
    bias_bound: float | None
    bias_bound_pgr: float | None


def upload_budget(benchmark: Benchmark) -> UploadBudget:
    """Counted over uploads, scored or waiting; callers that spend from it hold the benchmark's row lock."""
    window = timedelta(seconds=benchmark.query_window_seconds)
    recent = Upload.objects.filter(benchmark=benchmark, created_at__gt=timezone.now() - window)
    used, limit = recent.count(), benchmark.query_limit
    refills_at = None
    if limit and used >= limit:
        # after a lowered limit more than one upload has to leave the window
        frees = recent.order_by("created_at").values_list("created_at", flat=True)[used - limit]
        refills_at = frees + window
    return UploadBudget(
        budget="evaluations",
        benchmark=benchmark.slug,
        limit=limit,
        used=used,
        window_seconds=benchmark.query_window_seconds,
        refills_at=refills_at,
    )


def leak_of(benchmark: Benchmark, gap: float | None = None) -> Leak:
    """The benchmark's leak meter. gap: ceiling above weak on dev, to state the bound in PGR."""
    meter = LeakMeter.objects.filter(benchmark=benchmark).first() or LeakMeter(benchmark=benchmark)
    return _leak(meter, benchmark, gap)


def leaks_of(benchmarks: "QuerySet[Benchmark]") -> list[tuple[Benchmark, Leak]]:
    """Of those whose dev labels have leaked at all, the most first; two queries, however many."""
    rows = LeakMeter.objects.filter(benchmark__in=benchmarks, queries__gt=0)
    meters = list(rows.select_related("benchmark").order_by("-bits", "benchmark__slug"))
    if not meters:
        return []
    means: dict[tuple[int, str], float] = {}
    lines = Baseline.objects.filter(benchmark__in=[each.benchmark_id for each in meters], split="dev", arm__in=_ENDS)
    for key, arm, mean in lines.values_list("benchmark", "arm", "mean"):
        means[key, arm] = mean
    found = []
    for meter in meters:
        weak, ceiling = (means.get((meter.benchmark_id, arm)) for arm in _ENDS)
        gap = None if weak is None or ceiling is None else ceiling - weak
        found.append((meter.benchmark, _leak(meter, meter.benchmark, gap)))
    return found


def _leak(meter: LeakMeter, benchmark: Benchmark, gap: float | None) -> Leak:
    items = benchmark.sizes.get("dev")
    bound = bias_bound(meter.bits, items) if items and meter.bits else None
    return Leak(
        queries=meter.queries,
        updates=meter.updates,
        bits=meter.bits,
        bias_bound=bound,
        bias_bound_pgr=bound / gap if bound and gap and gap > 0 else None,
    )


def dev_ends(benchmark: Benchmark) -> tuple[float, float] | None:
    """Frozen weak and ceiling accuracy on dev, between which PGR is measured; None before they exist."""
    lines = Baseline.objects.filter(benchmark=benchmark, split="dev", arm__in=_ENDS)
    means = dict(lines.values_list("arm", "mean"))
    if len(means) < 2:
        return None
    return means[Baseline.Arm.WEAK], means[Baseline.Arm.CEILING]
