"""Which benchmarks could be cells of a study, what each would detect, and why the others could not."""

from dataclasses import dataclass
from typing import Any

from experiments.errors import LabError
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark, Experiment
from experiments.services.experiments import on_benchmark
from experiments.transfer.plans import plan_cell


@dataclass(frozen=True, slots=True)
class Candidate:
    """A benchmark as a possible cell: its part of the plan, or the reason why it cannot be one."""

    benchmark: Benchmark
    facts: dict[str, Any] | None
    reason: str = ""


def candidates_for(source: Experiment, seeds: int) -> list[Candidate]:
    """Every benchmark with items, usable ones first. seeds: runs per cell, which the detectable effect depends on."""
    others = Benchmark.objects.exclude(state=BenchmarkState.REFERENCE).exclude(pk=source.benchmark_id)
    found = [_candidate(source, each, seeds) for each in others]
    return sorted(found, key=lambda each: each.facts is None)


def _candidate(source: Experiment, benchmark: Benchmark, seeds: int) -> Candidate:
    try:
        cell = plan_cell(source, on_benchmark(source, benchmark.slug), seeds=seeds, replicate=0, pointer="")
    except LabError as error:
        return Candidate(benchmark, None, str(error))
    return Candidate(benchmark, cell.facts)
