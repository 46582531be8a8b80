"""tests experiments/services/runs.py: claims, leases, zombies, two workers at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from experiments import scoring
from experiments.lifecycle import ExperimentState, RunState
from experiments.models import Event, Experiment, Prediction, Run
from experiments.services.experiments import cancel_experiment, submit_experiment
from experiments.services.leases import LeaseLost
from experiments.services.reaper import reap
from experiments.services.runs import (
    claim_runs,
    fail_runs,
    record_predictions,
    release,
    renew_leases,
    report_progress,
)
from tests.factories import make_benchmark, make_method, make_user
from tests.labelled import make_labelled_benchmark, trained


@pytest.fixture
def experiment(db):
    """Submitted, three runs queued."""
    make_benchmark()
    make_method()
    return submit_experiment(user=make_user(), benchmark="geography", method="vanilla", options={}, seeds=3)


def expire(experiment: Experiment) -> None:
    """As if its worker had been silent for too long."""
    experiment.runs.filter(state=RunState.RUNNING).update(lease_until=timezone.now() - timedelta(seconds=1))


def in_threads(work, count: int) -> list:
    """The results of `work(index)`, started at the same moment, each with a connection of its own."""
    barrier = threading.Barrier(count)

    def start(index):
        barrier.wait(timeout=20)
        try:
            return work(index)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def test_one_claim_takes_all_runs_of_one_experiment(experiment, settings):
    claim = claim_runs(worker="gpu@one")
    assert claim.experiment_id == experiment.pk
    assert claim.seed_indices == (0, 1, 2)
    assert list(claim.seeds) == list(experiment.runs.order_by("id").values_list("seed", flat=True))
    for run in experiment.runs.all():
        assert (run.state, run.lease_owner, run.attempt, run.worker) == ("running", claim.token, 1, "gpu@one")
        assert timezone.now() < run.lease_until <= timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.RUNNING
    assert experiment.started_at is not None


def test_a_duplicate_message_finds_the_runs_claimed(experiment):
    assert claim_runs(worker="gpu@one") is not None
    before = Event.objects.count()
    assert claim_runs(worker="gpu@one") is None
    assert claim_runs(worker="gpu@two", experiment_id=experiment.pk) is None
    assert Event.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_of_many_claimants_at_once_one_wins(experiment):
    claims = in_threads(lambda index: claim_runs(worker=f"gpu@{index}"), 8)
    won = [claim for claim in claims if claim]
    assert len(won) == 1
    assert set(experiment.runs.values_list("lease_owner", "attempt")) == {(won[0].token, 1)}


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_take_two_experiments(experiment):
    other = submit_experiment(user=make_user(), benchmark="geography", method="vanilla", options={}, seeds=2)
    claims = in_threads(lambda index: claim_runs(worker=f"gpu@{index}"), 2)
    taken = {claim.experiment_id for claim in claims if claim}
    taken |= {claim.experiment_id for claim in [claim_runs(worker="gpu@late")] if claim}  # skipped, not waited for
    assert taken == {experiment.pk, other.pk}


def test_renewing_prolongs_only_what_is_held(experiment):
    claim = claim_runs(worker="gpu@one")
    expire(experiment)
    assert renew_leases(token=claim.token) == 3
    assert not Run.objects.expired(timezone.now()).exists()
    assert renew_leases(token="gpu@one#other") == 0
    assert report_progress(token=claim.token, stage="step", done=3, total=9) == 3
    assert set(experiment.runs.values_list("progress_stage", "progress_done", "progress_total")) == {("step", 3, 9)}


def test_handing_over_writes_everything_at_once(experiment):
    claim = claim_runs(worker="gpu@one")
    record_predictions(claim=claim, trained=trained(claim))
    runs = list(experiment.runs.all())
    assert {(run.state, run.lease_owner, run.lease_until) for run in runs} == {("evaluating", "", None)}
    assert {run.log for run in runs} == {"trained by hand"}
    assert Prediction.objects.filter(run__experiment=experiment).count() == 6
    experiment.refresh_from_db()
    assert experiment.worker_seconds == 0.5


def test_handing_over_twice_is_refused(experiment):
    claim = claim_runs(worker="gpu@one")
    record_predictions(claim=claim, trained=trained(claim))
    with pytest.raises(LeaseLost):
        record_predictions(claim=claim, trained=trained(claim))
    assert Prediction.objects.count() == 6


def test_predictions_for_another_number_of_runs_are_refused(experiment):
    claim = claim_runs(worker="gpu@one")
    handed = trained(claim)
    handed.predictions["dev"] = handed.predictions["dev"][:2]
    with pytest.raises(ValueError, match="for 3 runs"):
        record_predictions(claim=claim, trained=handed)
    assert not Prediction.objects.exists()


def test_a_zombie_cannot_write(experiment):
    zombie = claim_runs(worker="gpu@one")
    expire(experiment)
    assert reap().requeued == 3
    with pytest.raises(LeaseLost):
        record_predictions(claim=zombie, trained=trained(zombie))
    second = claim_runs(worker="gpu@one")  # the same worker, taken up again
    assert second.token != zombie.token
    with pytest.raises(LeaseLost):
        record_predictions(claim=zombie, trained=trained(zombie))
    with pytest.raises(LeaseLost):
        fail_runs(claim=zombie, reason="too late")
    assert renew_leases(token=zombie.token) == 0
    release(claim=zombie)
    assert not Prediction.objects.exists()
    assert set(experiment.runs.values_list("state", "lease_owner")) == {("running", second.token)}
    record_predictions(claim=second, trained=trained(second))


@pytest.mark.django_db(transaction=True)
def test_a_zombie_and_its_heir_at_once_write_one_result(experiment):
    zombie = claim_runs(worker="gpu@one")
    expire(experiment)
    reap()
    heir = claim_runs(worker="gpu@two")

    def write(index):
        claim = (zombie, heir)[index % 2]
        try:
            record_predictions(claim=claim, trained=trained(claim))
            return claim.token
        except LeaseLost:
            return None

    assert [token for token in in_threads(write, 6) if token] == [heir.token]
    assert Prediction.objects.count() == 6


def test_giving_back_does_not_count_as_an_attempt(experiment):
    claim = claim_runs(worker="gpu@one")
    release(claim=claim)
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.QUEUED
    assert set(experiment.runs.values_list("state", "attempt", "lease_owner")) == {("queued", 0, "")}
    assert claim_runs(worker="gpu@two").experiment_id == experiment.pk


def test_a_failure_ends_every_run_with_its_reason(experiment):
    fail_runs(claim=claim_runs(worker="gpu@one"), reason="x" * 5000 + " the end", seconds=2)
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.FAILED
    assert experiment.worker_seconds == 2
    assert all(run.error.endswith("the end") and len(run.error) <= 4000 for run in experiment.runs.all())


def test_nul_in_a_log_is_left_out(experiment):
    claim = claim_runs(worker="gpu@one")
    handed = trained(claim)
    handed.logs[:] = ["a\x00b"] * 3
    record_predictions(claim=claim, trained=handed)
    assert set(experiment.runs.values_list("log", flat=True)) == {"ab"}


@pytest.mark.django_db
@pytest.mark.parametrize("stage", ["queued", "running", "evaluating"])
def test_cancelling_at_every_stage_ends_it_and_refuses_what_comes_later(stage):
    make_labelled_benchmark()
    make_method()
    user = make_user()
    experiment = submit_experiment(user=user, benchmark="geography", method="vanilla", options={}, seeds=2)
    claim = claim_runs(worker="gpu@one") if stage != "queued" else None
    if stage == "evaluating":
        record_predictions(claim=claim, trained=trained(claim))
    cancel_experiment(user=user, experiment_id=experiment.pk)
    assert set(experiment.runs.values_list("state", flat=True)) == {RunState.CANCELLED}
    if claim:
        assert renew_leases(token=claim.token) == 0
        with pytest.raises(LeaseLost):
            record_predictions(claim=claim, trained=trained(claim))
    assert claim_runs(worker="gpu@two") is None
    assert scoring.score_experiment(experiment.pk) is False
    assert reap().requeued == 0
    experiment.refresh_from_db()
    assert (experiment.state, experiment.dev_pgr) == (ExperimentState.CANCELLED, None)


@pytest.mark.django_db(transaction=True)
def test_cancelling_while_results_come_in_ends_in_one_or_the_other(experiment):
    claim = claim_runs(worker="gpu@one")

    def race(index):
        if index:
            cancel_experiment(user=experiment.submitter, experiment_id=experiment.pk)
            return "cancelled"
        try:
            record_predictions(claim=claim, trained=trained(claim))
            return "written"
        except LeaseLost:
            return "refused"

    outcome = in_threads(race, 2)
    assert outcome[1] == "cancelled"
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.CANCELLED
    assert set(experiment.runs.values_list("state", flat=True)) == {RunState.CANCELLED}
    assert Prediction.objects.count() == (6 if outcome[0] == "written" else 0)


@pytest.mark.django_db(transaction=True)
def test_events_stay_gap_free_under_concurrent_writers(experiment):
    for _ in range(6):
        submit_experiment(user=experiment.submitter, benchmark="geography", method="vanilla", options={}, seeds=1)
    in_threads(lambda index: claim_runs(worker=f"gpu@{index}"), 7)
    numbers = list(Event.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_claim_asks_the_database_a_bounded_number_of_times(experiment, django_assert_max_num_queries):
    big = submit_experiment(
        user=make_user(), benchmark="geography", method="vanilla", options={}, seeds=100, priority=1
    )
    with django_assert_max_num_queries(14):
        claim = claim_runs(worker="gpu@one")
    assert claim.experiment_id == big.pk
    with django_assert_max_num_queries(22):
        record_predictions(claim=claim, trained=trained(claim))
    assert np.frombuffer(bytes(Prediction.objects.first().probs), "<f4").shape == (200,)
