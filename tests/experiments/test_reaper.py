"""tests experiments/services/reaper.py: expired leases, lost messages, what is built in."""

from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from experiments import scoring
from experiments.lifecycle import BenchmarkState, ExperimentState, RunState
from experiments.models import Benchmark, Upload
from experiments.selectors.workers_page import queue_depths
from experiments.services.experiments import submit_experiment
from experiments.services.reaper import reap
from experiments.services.runs import claim_runs, record_predictions
from tests.broker import flush
from tests.factories import make_benchmark, make_method, make_user
from tests.labelled import make_labelled_benchmark, trained


@pytest.fixture
def experiment(db):
    """Submitted, two runs queued."""
    make_benchmark()
    make_method()
    return submit_experiment(user=make_user(), benchmark="geography", method="vanilla", options={}, seeds=2)


def expire(experiment) -> None:
    experiment.runs.filter(state=RunState.RUNNING).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_renewed_lease_is_left_alone(experiment):
    claim_runs(worker="gpu@one")
    assert reap().requeued == 0
    assert set(experiment.runs.values_list("state", flat=True)) == {RunState.RUNNING}


def test_an_expired_lease_goes_back_to_the_queue(experiment):
    claim_runs(worker="gpu@one")
    expire(experiment)
    assert reap().requeued == 2
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.QUEUED
    assert set(experiment.runs.values_list("state", "attempt", "lease_owner")) == {("queued", 1, "")}
    assert reap().requeued == 0


def test_after_all_attempts_the_runs_fail_with_a_reason(experiment):
    for _ in range(django_settings.RUN_ATTEMPTS):
        assert claim_runs(worker="gpu@one")
        expire(experiment)
        found = reap()
    assert (found.requeued, found.failed) == (0, 2)
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.FAILED
    assert "the worker stopped renewing its lease 3 times (last: gpu@one)" in experiment.error
    assert claim_runs(worker="gpu@one") is None


@pytest.mark.django_db
def test_a_run_that_was_scored_before_its_siblings_died_is_summed_up():
    make_labelled_benchmark()
    make_method()
    experiment = submit_experiment(user=make_user(), benchmark="geography", method="vanilla", options={}, seeds=3)
    claim = claim_runs(worker="gpu@one")
    record_predictions(claim=claim, trained=trained(claim))
    last = experiment.runs.filter(seed_index=2)
    last.update(state=RunState.RUNNING, attempt=3, lease_owner="gpu@two#1", worker="gpu@two")
    assert scoring.score_experiment(experiment.pk)
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.RUNNING  # one seed is still at work
    last.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert reap().failed == 1
    assert scoring.score_experiment(experiment.pk)
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.SCORED
    assert (experiment.dev_score["n_seeds"], experiment.dev_score["failed"]) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_lost_messages_are_sent_again_once_per_waiting_row():
    make_labelled_benchmark()
    flush()  # of what its preparation sent
    make_method()
    user = make_user()
    waiting = [
        submit_experiment(user=user, benchmark="geography", method="vanilla", options={}, seeds=2) for _ in range(3)
    ]
    assert queue_depths()["gpu"] == 3
    claim = claim_runs(worker="gpu@one", experiment_id=waiting[0].pk)
    record_predictions(claim=claim, trained=trained(claim))
    Upload.objects.create(
        benchmark=Benchmark.objects.get(), submitter=user, predictions=b"0", predictions_digest="0" * 64, n_items=8
    )
    Upload.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    flush()
    assert queue_depths()["gpu"] == queue_depths()["evaluation"] == 0
    reap()
    assert queue_depths()["gpu"] == 2
    assert queue_depths()["evaluation"] == 2  # one experiment to score, one upload
    reap()
    assert queue_depths()["gpu"] == 2  # what is under way is not sent twice


@pytest.mark.django_db(transaction=True)
def test_a_preparation_whose_message_was_lost_is_woken():
    make_benchmark("latitude", state=BenchmarkState.PREPARING)
    make_benchmark("elements", state=BenchmarkState.PREPARING, provenance={"labels": {}})
    flush()
    reap()
    assert (queue_depths()["evaluation"], queue_depths()["gpu"]) == (1, 1)


@pytest.mark.django_db
def test_built_in_benchmarks_are_prepared_one_after_the_other_in_their_order():
    for slug, on_demand in (("zeta", False), ("alpha", False), ("slow", True)):
        make_benchmark(slug, state=BenchmarkState.REGISTERED, on_demand=on_demand)
    make_benchmark("imported", state=BenchmarkState.REGISTERED, builtin=False)
    reap()
    reap()
    preparing = Benchmark.objects.filter(state=BenchmarkState.PREPARING)
    assert [row.slug for row in preparing] == ["zeta"]
    preparing.update(state=BenchmarkState.READY)
    reap()
    assert [row.slug for row in Benchmark.objects.filter(state=BenchmarkState.PREPARING)] == ["alpha"]
    Benchmark.objects.filter(slug="alpha").update(state=BenchmarkState.FAILED)
    reap()
    assert not Benchmark.objects.filter(state=BenchmarkState.PREPARING).exists()
    assert set(Benchmark.objects.filter(state=BenchmarkState.REGISTERED).values_list("slug", flat=True)) == {
        "slow",
        "imported",
    }


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_breaks_nothing(settings, caplog):
    make_benchmark()
    make_method()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert reap().wake_ups == 0
