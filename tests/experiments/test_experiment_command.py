"""tests `manage.py experiment`."""

import json
import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from experiments import scoring
from experiments.lifecycle import BenchmarkState, ExperimentState
from experiments.models import Experiment
from experiments.services.runs import claim_runs, fail_runs, record_predictions
from tests.factories import make_benchmark, make_method, make_user
from tests.labelled import make_labelled_benchmark, trained


@pytest.fixture
def lab(transactional_db):
    """A ready benchmark, a method, and the lab's owner."""
    make_labelled_benchmark()
    make_method()
    return make_user("admin", "owner", is_superuser=True)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("experiment", "run", "vanilla", "--benchmark", "geography", *arguments, stdout=out)
    return out.getvalue()


class Worker:
    """A thread that trains what comes, by hand, with a chosen accuracy; or fails it."""

    def __init__(self, accuracy: float | None) -> None:
        self.accuracy, self.done = accuracy, threading.Event()
        self.thread = threading.Thread(target=self._work)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def _work(self):
        try:
            while not self.done.wait(0.05):
                claim = claim_runs(worker="gpu@test")
                if claim is None:
                    continue
                if self.accuracy is None:
                    fail_runs(claim=claim, reason="the loss became NaN")
                    continue
                record_predictions(claim=claim, trained=trained(claim, self.accuracy))
                scoring.score_experiment(claim.experiment_id)
        finally:
            connection.close()


def test_it_waits_and_prints_pgr_with_its_interval(lab):
    with Worker(0.75):
        said = run("--seeds", "4", "--option", "weight=0.25", "--option", "schedule=constant", "--hypothesis", "Yes.")
    experiment = Experiment.objects.get()
    assert (experiment.submitter, experiment.hypothesis) == (lab, "Yes.")
    assert experiment.options["weight"] == 0.25
    assert experiment.options["schedule"] == "constant"
    lines = said.splitlines()
    assert lines[0] == f"experiment {experiment.pk}: Vanilla on Geography (4 seeds), scored"
    assert lines[1].startswith("dev      PGR 0.600 [")
    assert "n = 200 items, 4 seeds, 95% interval" in lines[1]
    assert lines[2].strip().startswith("against vanilla +0.200 [")
    assert lines[3].startswith("holdout  PGR 0.600")
    assert lines[-1].endswith(f"/experiments/{experiment.pk}/")


def test_json_holds_everything_and_stands_alone_on_stdout(lab):
    with Worker(0.75):
        answer = json.loads(run("--seeds", "3", "--json"))
    assert answer["state"] == "scored"
    assert answer["dev_pgr"] == pytest.approx(0.6)
    assert len(answer["runs"]) == 3
    assert answer["url"].endswith(f"/experiments/{answer['id']}/")


def test_an_agents_account_is_shown_no_holdout(lab):
    make_user("agent", "robot")
    with Worker(0.75):
        assert "holdout" not in run("--user", "robot")
        assert "holdout_pgr" not in json.loads(run("--user", "robot", "--json"))


def test_a_failure_is_told_and_is_an_error(lab):
    with Worker(None), pytest.raises(CommandError, match="4 of 4 runs failed: the loss became NaN"):
        run()


def test_not_waiting_submits_and_goes(lab):
    assert "queued" in run("--no-wait")
    assert Experiment.objects.get().state == ExperimentState.QUEUED


def test_ctrl_c_leaves_the_experiment_at_work_and_says_so(lab, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("experiments.management.following.time.sleep", interrupted)
    with pytest.raises(CommandError, match="goes on in the lab") as caught:
        run()
    assert caught.value.returncode == 130
    assert Experiment.objects.get().state == ExperimentState.QUEUED


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--option", "weight"], "expected NAME=VALUE"),
        (["--option", "weight=9"], "expected a number from 0 to 1"),
        (["--seeds", "1000"], "expected 1 to 100"),
        (["--user", "nobody"], "no account 'nobody'"),
    ],
)
def test_mistakes_are_one_sentence(lab, arguments, message):
    with pytest.raises(CommandError, match=message):
        run(*arguments)
    assert not Experiment.objects.exists()


@pytest.mark.django_db
def test_a_lab_without_an_owner_says_so():
    with pytest.raises(CommandError, match="no owner yet"):
        run()


@pytest.mark.django_db(transaction=True)
def test_a_benchmark_that_nobody_prepared_is_asked_for_only_by_those_who_may():
    make_benchmark(state=BenchmarkState.REGISTERED)
    make_method()
    make_user("researcher", "ada")
    with pytest.raises(CommandError, match="has not been prepared yet"):
        run("--user", "ada")
