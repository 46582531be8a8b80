"""The home page: how far the lab has come, and what it is doing now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count

from experiments.lifecycle import RUN_TERMINAL, BenchmarkState, ExperimentState, RunState
from experiments.models import Benchmark, Experiment, Run
from experiments.selectors.benchmark_page import seconds_left

if TYPE_CHECKING:
    from experiments.permissions import Actor

MOST_JOBS = 6


@dataclass(frozen=True, slots=True)
class Job:
    """An experiment at work: seeds done, and where the one in training stands."""

    experiment: Experiment
    done: int
    stage: str
    stage_done: int
    stage_total: int


@dataclass(frozen=True, slots=True)
class Preparation:
    """A benchmark being prepared."""

    benchmark: Benchmark
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class AtWork:
    """What is going on now, and how much more waits; ready: benchmarks that can be run on."""

    jobs: list[Job]
    preparations: list[Preparation]
    running: int
    queued: int
    ready: int


def state_counts(user: "Actor") -> dict[str, int]:
    """Experiments per state, every state present."""
    counted = Experiment.objects.visible_to(user).values_list("state").annotate(Count("id")).order_by()
    return {**dict.fromkeys(ExperimentState.values, 0), **dict(counted)}


def at_work(user: "Actor", counts: dict[str, int]) -> AtWork:
    """Running experiments and benchmarks in preparation, the longest at work first."""
    running = list(
        Experiment.objects.visible_to(user)
        .filter(state=ExperimentState.RUNNING)
        .select_related("benchmark", "method", "submitter")
        .defer("hypothesis", "provenance", "search", "options")
        .order_by("id")[:MOST_JOBS]
    )
    runs = Run.objects.filter(experiment__in=running).values(
        "experiment_id", "state", "progress_stage", "progress_done", "progress_total"
    )
    by_experiment: dict[int, list[Mapping[str, object]]] = {each.pk: [] for each in running}
    for run in runs if running else ():
        by_experiment[run["experiment_id"]].append(run)
    shown = [BenchmarkState.PREPARING, BenchmarkState.READY]
    benchmarks = list(Benchmark.objects.visible_to(user).filter(state__in=shown).defer("provenance", "description"))
    preparing = [each for each in benchmarks if each.state == BenchmarkState.PREPARING]
    return AtWork(
        jobs=[_job(each, by_experiment[each.pk]) for each in running],
        preparations=[Preparation(each, seconds_left(each)) for each in preparing],
        running=counts[ExperimentState.RUNNING],
        queued=counts[ExperimentState.QUEUED],
        ready=len(benchmarks) - len(preparing),
    )


def _job(experiment: Experiment, runs: list[Mapping[str, object]]) -> Job:
    now = next((run for run in runs if run["state"] == RunState.RUNNING), None)
    return Job(
        experiment=experiment,
        done=sum(run["state"] in RUN_TERMINAL for run in runs),
        stage=str(now["progress_stage"]) if now else "",
        stage_done=int(str(now["progress_done"])) if now else 0,
        stage_total=int(str(now["progress_total"])) if now else 0,
    )
