"""Which benchmarks could be cells of a study, what each would detect, and why the others could not."""

from dataclasses import dataclass
from typing import Any

from experiments.errors import LabError
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark, Experiment
from experiments.services.experiments import on_benchmark
from experiments.transfer.plans import USUAL_THETA, detects_from, plan_cell


@dataclass(frozen=True, slots=True)
class Candidate:
    """A benchmark as a possible cell: its part of the plan, or the reason why it cannot be one."""

    benchmark: Benchmark
    facts: dict[str, Any] | None
    reason: str = ""
    detects: float | None = None


def candidates_for(source: Experiment, seeds: int, theta_min: float = USUAL_THETA) -> list[Candidate]:
    """Every benchmark with items, usable ones first. seeds: runs per cell. Both decide what a cell would detect."""
    others = Benchmark.objects.exclude(state=BenchmarkState.REFERENCE).exclude(pk=source.benchmark_id)
    found = [_candidate(source, each, seeds, theta_min) for each in others]
    return sorted(found, key=lambda each: each.facts is None)


def _candidate(source: Experiment, benchmark: Benchmark, seeds: int, theta_min: float) -> Candidate:
    try:
        cell = plan_cell(source, on_benchmark(source, benchmark.slug), seeds=seeds, replicate=0, pointer="")
    except LabError as error:
        return Candidate(benchmark, None, str(error))
    return Candidate(benchmark, cell.facts, detects=detects_from(theta_min, cell.facts["mde"]))
