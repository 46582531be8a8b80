"""Real workers, a real broker: killed, emptied, asked twice; and what a gpu worker cannot reach."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments import dispatch
from experiments.lifecycle import BenchmarkState, ExperimentState, RunState
from experiments.models import Benchmark, Evaluation, Event, Experiment, Prediction, WorkerSeen
from experiments.services.benchmarks import request_preparation
from experiments.services.experiments import cancel_experiment, submit_experiment
from experiments.services.reaper import reap
from tests.broker import flush
from tests.factories import make_user
from tests.workers.celery_worker import LEASE_SECONDS, ROOT, Crew, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(scope="module")
def crew(django_db_setup, tmp_path_factory, cache_dir):
    """Workers that outlive a test: each takes seconds to start."""
    workers = Crew(tmp_path_factory.mktemp("workers"), cache_dir)
    yield workers
    workers.stop()


@pytest.fixture
def lab(registered, settings, crew):
    """An empty broker, a gpu and an evaluation worker, and a benchmark that they have made ready; short leases."""
    settings.LEASE_SECONDS = LEASE_SECONDS
    flush()
    crew.start("gpu", "evaluation")
    request_preparation(user=make_user("admin"), slug="words")
    wait_for(is_ready, what="a ready benchmark")
    yield crew
    crew.print_logs()


def is_ready() -> bool:
    reap()  # as beat does every few seconds
    return Benchmark.objects.get(slug="words").state == BenchmarkState.READY


def submit(method: str = "vanilla", **fields) -> Experiment:
    return submit_experiment(
        user=make_user(), **{"benchmark": "words", "method": method, "options": {}, "seeds": 3, **fields}
    )


def state_of(experiment: Experiment) -> str:
    return Experiment.objects.values_list("state", flat=True).get(pk=experiment.pk)


def waits(experiment: Experiment) -> bool:
    """Its method is in the middle of its wait."""
    return experiment.runs.filter(state=RunState.RUNNING, progress_stage="waiting").count() == experiment.seeds


def is_scored(experiment: Experiment) -> bool:
    reap()  # as beat does every few seconds
    return state_of(experiment) == ExperimentState.SCORED


def test_from_submission_to_score_and_what_workers_say_of_themselves(lab):
    wait_for(lambda: WorkerSeen.objects.count() == 2, what="two workers announce themselves")
    first = submit()
    wait_for(lambda: state_of(first) == ExperimentState.SCORED, what="a score")
    started = time.monotonic()
    second = submit(options={"l2": 0.3}, seeds=20)
    wait_for(lambda: state_of(second) == ExperimentState.SCORED, what="a second score")
    print(f"submit to score, 20 seeds, tiny model: {time.monotonic() - started:.2f} s")
    gpu = WorkerSeen.objects.get(name="gpu@test")
    assert gpu.queues == ["gpu"]
    assert gpu.device.startswith("CPU")
    assert gpu.versions["torch"]
    assert gpu.runs_done == 23


def test_a_worker_killed_in_the_middle_is_made_up_for_exactly_once(lab, tmp_path):
    marker = tmp_path / "starts"
    experiment = submit("patient", options={"seconds": 4, "marker": str(marker)})
    wait_for(lambda: waits(experiment), what="training")
    lab.start("gpu")[0].kill()
    lab.start("gpu")
    wait_for(lambda: is_scored(experiment), what="a score after the kill")
    assert len(marker.read_text().splitlines()) == 2  # taken up twice
    assert set(experiment.runs.values_list("attempt", flat=True)) == {2}
    assert Prediction.objects.count() == 6  # finished once
    assert Evaluation.objects.count() == 6
    assert Event.objects.filter(kind="experiment.scored").count() == 1


def test_a_long_training_keeps_its_lease_and_says_what_is_done(lab):
    experiment = submit("patient", options={"seconds": 2 * LEASE_SECONDS})
    doing = f"training experiment {experiment.pk}: patient on words"
    wait_for(lambda: WorkerSeen.objects.filter(name="gpu@test", doing=doing).exists(), what="a word of it")
    wait_for(lambda: is_scored(experiment), what="a score")
    assert set(experiment.runs.values_list("attempt", flat=True)) == {1}


def test_cancelling_stops_a_training_in_the_middle(lab):
    experiment = submit("patient", options={"seconds": 60})
    wait_for(lambda: waits(experiment), what="training")
    cancel_experiment(user=experiment.submitter, experiment_id=experiment.pk)
    after = submit()
    wait_for(lambda: state_of(after) == ExperimentState.SCORED, what="the next experiment")
    assert state_of(experiment) == ExperimentState.CANCELLED
    assert not Prediction.objects.filter(run__experiment=experiment).exists()


def test_an_emptied_broker_loses_nothing(lab):
    during = submit("patient", options={"seconds": 2})
    waiting = [submit(title=str(index)) for index in range(4)]
    wait_for(lambda: waits(during), what="work under way")
    flush()
    for experiment in (during, *waiting):
        wait_for(lambda one=experiment: is_scored(one), what=f"{experiment} after the broker was emptied")
    assert Evaluation.objects.count() == 5 * 3 * 2


def test_messages_that_come_twice_change_nothing(lab):
    experiment = submit()
    for _ in range(5):
        dispatch.train(experiment.pk)
        dispatch.evaluate(experiment.pk)
    wait_for(lambda: state_of(experiment) == ExperimentState.SCORED, what="a score")
    for _ in range(5):
        dispatch.train(experiment.pk)
        dispatch.evaluate(experiment.pk)
    after = submit(title="after the duplicates")
    wait_for(lambda: state_of(after) == ExperimentState.SCORED, what="the next score")
    assert Prediction.objects.filter(run__experiment=experiment).count() == 6
    assert Evaluation.objects.filter(run__experiment=experiment).count() == 6
    assert set(experiment.runs.values_list("attempt", flat=True)) == {1}


def test_an_orderly_end_gives_the_runs_back_untried(lab):
    experiment = submit("patient", options={"seconds": 60})
    wait_for(lambda: waits(experiment), what="training")
    worker = lab.start("gpu")[0]
    wait_for(lambda: WorkerSeen.objects.filter(name="gpu@test").exists(), what="announcing itself")
    worker.stop()
    assert set(experiment.runs.values_list("state", "attempt", "lease_owner")) == {("queued", 0, "")}
    assert state_of(experiment) == ExperimentState.QUEUED
    assert WorkerSeen.objects.get(name="gpu@test").doing == "shut down"


def test_a_worker_that_is_killed_every_time_is_given_up(lab, settings):
    settings.RUN_ATTEMPTS = 1
    experiment = submit("patient", options={"seconds": 60})
    wait_for(lambda: waits(experiment), what="training")
    lab.start("gpu")[0].kill()
    wait_for(lambda: reap().failed == 3, what="giving up")
    assert state_of(experiment) == ExperimentState.FAILED
    assert "stopped renewing its lease once (last: gpu@test)" in Experiment.objects.get(pk=experiment.pk).error


def test_a_gpu_worker_never_loads_what_opens_labels():
    code = (
        "import django, sys; django.setup()\n"
        "import workers.tasks, workers.training, workers.extraction, workers.catalogue\n"
        "print([m for m in sys.modules if m in "
        "('experiments.ground_truth', 'experiments.scoring', 'experiments.seeds')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_contracts_keep_labels_and_seeds_out_of_gpu_code():
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(lint)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "What runs on gpu workers reaches neither labels nor seeds KEPT" in done.stdout
