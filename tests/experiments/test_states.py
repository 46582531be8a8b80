"""tests experiments/services/states.py: every pair of states, and how an experiment follows its runs."""

from itertools import product

import pytest
from django.db import IntegrityError, transaction

from experiments.errors import IllegalTransition
from experiments.lifecycle import (
    BENCHMARK_TRANSITIONS,
    EXPERIMENT_TRANSITIONS,
    RUN_TERMINAL,
    RUN_TRANSITIONS,
    BenchmarkState,
    ExperimentState,
    RunState,
)
from experiments.models import Benchmark, Event, Experiment, Run
from experiments.services.states import move_benchmark, move_experiment, move_runs, settle
from tests.factories import make_benchmark, make_experiment

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("before", "after"), list(product(RunState, RunState)))
def test_every_pair_of_run_states(before, after):
    experiment = make_experiment(seeds=2, runs=False)
    runs = Run.objects.bulk_create(Run(experiment=experiment, seed_index=i, seed=i, state=before) for i in range(2))
    if after in RUN_TRANSITIONS[before]:
        move_runs(experiment, runs, after)
        moved = list(experiment.runs.all())
        assert {run.state for run in moved} == {after}
        assert all((run.finished_at is not None) == (after in RUN_TERMINAL) for run in moved)
        event = Event.objects.get(kind="run.state")
        assert event.payload == {"experiment": experiment.pk, "state": after, "seeds": [0, 1]}
    else:
        with pytest.raises(IllegalTransition):
            move_runs(experiment, runs, after)
        assert not Event.objects.exists()


@pytest.mark.parametrize(("before", "after"), list(product(ExperimentState, ExperimentState)))
def test_every_pair_of_experiment_states(before, after):
    experiment = make_experiment(state=before)
    score = {"dev_accuracy": 0.7} if after == ExperimentState.SCORED else {}
    if after in EXPERIMENT_TRANSITIONS[before]:
        move_experiment(experiment, after, **score)
        experiment.refresh_from_db()
        assert experiment.state == after
        assert Event.objects.get().kind == f"experiment.{after}"
    else:
        with pytest.raises(IllegalTransition):
            move_experiment(experiment, after, **score)
        experiment.refresh_from_db()
        assert experiment.state == before
        assert not Event.objects.exists()


@pytest.mark.parametrize(("before", "after"), list(product(BenchmarkState, BenchmarkState)))
def test_every_pair_of_benchmark_states(before, after):
    benchmark = make_benchmark(state=before, items=False, baselines=False)
    if after in BENCHMARK_TRANSITIONS[before]:
        move_benchmark(benchmark, after)
        assert Benchmark.objects.get().state == after
    else:
        with pytest.raises(IllegalTransition):
            move_benchmark(benchmark, after)
        assert Benchmark.objects.get().state == before


def test_moving_some_runs_that_cannot_move_moves_none():
    experiment = make_experiment(seeds=2, runs=False)
    runs = [
        Run.objects.create(experiment=experiment, seed_index=0, seed=0, state=RunState.RUNNING),
        Run.objects.create(experiment=experiment, seed_index=1, seed=1, state=RunState.SCORED),
    ]
    with pytest.raises(IllegalTransition, match="1 of 2"), transaction.atomic():
        move_runs(experiment, runs, RunState.EVALUATING)
    assert [run.state for run in experiment.runs.all()] == [RunState.RUNNING, RunState.SCORED]


@pytest.mark.parametrize(
    ("experiment_state", "runs", "after"),
    [
        ("running", ["queued", "queued"], "queued"),
        ("running", ["queued", "failed"], "queued"),
        ("running", ["queued", "scored"], "running"),
        ("running", ["running", "queued"], "running"),
        ("running", ["evaluating", "failed"], "running"),
        ("running", ["scored", "failed"], "running"),  # the scorer sums it up
        ("running", ["failed", "failed"], "failed"),
        ("queued", ["failed", "failed"], "failed"),
        ("cancelled", ["cancelled", "cancelled"], "cancelled"),
    ],
)
def test_an_experiment_follows_its_runs(experiment_state, runs, after):
    experiment = make_experiment(seeds=len(runs), runs=False)
    Experiment.objects.update(state=experiment_state)
    experiment.refresh_from_db()
    for index, state in enumerate(runs):
        Run.objects.create(experiment=experiment, seed_index=index, seed=index, state=state)
    settle(experiment)
    assert Experiment.objects.get().state == after


def test_the_database_itself_refuses_a_state_it_does_not_know():
    experiment = make_experiment()
    with pytest.raises(IntegrityError), transaction.atomic():
        Experiment.objects.filter(pk=experiment.pk).update(state="lost")
    with pytest.raises(IntegrityError), transaction.atomic():
        Experiment.objects.filter(pk=experiment.pk).update(state="scored")  # without a score
