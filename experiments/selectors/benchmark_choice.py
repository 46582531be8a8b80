"""Which benchmark a page shows when nobody has said which."""

from typing import TYPE_CHECKING

from experiments.lifecycle import BenchmarkState, ExperimentState
from experiments.models import Benchmark, Experiment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.permissions import Actor


def charted_benchmark(user: "Actor", asked: str) -> Benchmark | None:
    """The benchmark whose progress is drawn: the one asked for, else the ready one with the latest experiment."""
    ready = Benchmark.objects.visible_to(user).filter(state=BenchmarkState.READY)
    if asked:
        return ready.filter(slug=asked).first()
    latest = Experiment.objects.filter(benchmark__in=ready, state=ExperimentState.SCORED).order_by("-id")
    found = latest.select_related("benchmark").only("benchmark").first()
    return found.benchmark if found else ready.first()


def board_benchmark(user: "Actor", benchmarks: "Sequence[Benchmark]", asked: str) -> Benchmark | None:
    """Whose leaderboard is shown: the one asked for, else the one that was worked on last, else the first."""
    by_slug = {each.slug: each for each in benchmarks}
    if asked in by_slug:
        return by_slug[asked]
    latest = charted_benchmark(user, "")
    return by_slug.get(latest.slug) if latest else next(iter(benchmarks), None)
