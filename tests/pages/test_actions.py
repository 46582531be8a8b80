"""Buttons: cancel, rerun, prepare."""

import pytest

from experiments.models import Benchmark, Experiment
from tests.factories import make_benchmark, make_experiment, make_user
from tests.pages.conftest import logged_in


@pytest.fixture
def ada(roles):
    return make_user("researcher", name="ada")


@pytest.mark.parametrize("state", ["queued", "running"])
def test_cancelling_stops_the_seeds_and_says_so(ada, state):
    experiment = make_experiment(user=ada, state=state)
    client = logged_in(ada)
    response = client.post(f"/experiments/{experiment.pk}/cancel/", follow=True)
    experiment.refresh_from_db()
    assert experiment.state == "cancelled"
    assert {run.state for run in experiment.runs.all()} == {"cancelled"}
    assert "Cancelled. What was scored before stays." in response.content.decode()


@pytest.mark.parametrize("state", ["scored", "failed", "cancelled"])
def test_cancelling_what_has_ended_changes_nothing_and_says_why(ada, state):
    experiment = make_experiment(user=ada, state=state)
    page = logged_in(ada).post(f"/experiments/{experiment.pk}/cancel/", follow=True).content.decode()
    experiment.refresh_from_db()
    assert experiment.state == state
    assert f"experiment {experiment.pk} is {state} and cannot be cancelled" in page


def test_somebody_elses_experiment_cannot_be_cancelled_by_a_researcher(ada, researcher):
    experiment = make_experiment(user=ada)
    assert researcher.post(f"/experiments/{experiment.pk}/cancel/").status_code == 403
    experiment.refresh_from_db()
    assert experiment.state == "queued"
    assert "Cancel this experiment" not in researcher.get(f"/experiments/{experiment.pk}/").content.decode()


def test_a_reviewer_may_cancel_anybodys(ada):
    experiment = make_experiment(user=ada)
    reviewer = logged_in(make_user("reviewer"))
    assert "Cancel this experiment" in reviewer.get(f"/experiments/{experiment.pk}/").content.decode()
    reviewer.post(f"/experiments/{experiment.pk}/cancel/")
    experiment.refresh_from_db()
    assert experiment.state == "cancelled"


def test_a_rerun_has_fresh_seeds_and_says_whose_it_is(ada, researcher):
    first = make_experiment(user=ada, state="scored", options={"rounds": 4})
    response = researcher.post(f"/experiments/{first.pk}/rerun/")
    again = Experiment.objects.exclude(pk=first.pk).get()
    assert response["Location"] == f"/experiments/{again.pk}/"
    assert (again.rerun_of, again.submitter.username, again.options["rounds"]) == (first, "rosa", 4)
    seeds = {run.seed for run in first.runs.all()}
    assert seeds.isdisjoint({run.seed for run in again.runs.all()})
    assert "fresh seeds" in researcher.get(response["Location"]).content.decode()
    assert f"#{again.pk}" in researcher.get(f"/experiments/{first.pk}/").content.decode()


def test_a_running_experiment_is_not_rerun(ada):
    experiment = make_experiment(user=ada, state="running")
    client = logged_in(ada)
    assert "Rerun with fresh seeds" not in client.get(f"/experiments/{experiment.pk}/").content.decode()
    page = client.post(f"/experiments/{experiment.pk}/rerun/", follow=True).content.decode()
    assert "rerun it when it has ended" in page
    assert Experiment.objects.count() == 1


def test_a_viewer_reruns_and_cancels_nothing(ada, viewer):
    experiment = make_experiment(user=ada, state="scored")
    assert viewer.post(f"/experiments/{experiment.pk}/rerun/").status_code == 403
    assert viewer.post(f"/experiments/{make_experiment(user=ada).pk}/cancel/").status_code == 403
    assert Experiment.objects.count() == 2
    assert "Rerun" not in viewer.get(f"/experiments/{experiment.pk}/").content.decode()


@pytest.mark.parametrize("state", ["registered", "failed"])
def test_an_admin_has_a_benchmark_prepared(admin, state):
    make_benchmark("grammar", state=state, error="line 118" if state == "failed" else "")
    assert "/benchmarks/grammar/prepare/" in admin.get("/benchmarks/grammar/").content.decode()
    page = admin.post("/benchmarks/grammar/prepare/", follow=True).content.decode()
    assert Benchmark.objects.get().state == "preparing"
    assert "A worker will take it up" in page
    assert "line 118" not in page


def test_a_ready_benchmark_is_not_prepared_again(admin):
    make_benchmark("geography")
    page = admin.post("/benchmarks/geography/prepare/", follow=True).content.decode()
    assert "its data and baselines never change" in page
    assert Benchmark.objects.get().state == "ready"


def test_a_researcher_prepares_nothing(researcher):
    make_benchmark("grammar", state="registered")
    assert researcher.post("/benchmarks/grammar/prepare/").status_code == 403
    assert "/prepare/" not in researcher.get("/benchmarks/grammar/").content.decode()
    assert Benchmark.objects.get().state == "registered"


@pytest.mark.parametrize(
    "path", ["/experiments/999/cancel/", "/experiments/999/rerun/", "/benchmarks/atlantis/prepare/"]
)
def test_what_does_not_exist_is_not_found(admin, path):
    assert admin.post(path).status_code == 404


def test_actions_take_posts_only_and_need_a_login(ada, client):
    experiment = make_experiment(user=ada)
    assert logged_in(ada).get(f"/experiments/{experiment.pk}/cancel/").status_code == 405
    assert client.post(f"/experiments/{experiment.pk}/cancel/").status_code == 302
    experiment.refresh_from_db()
    assert experiment.state == "queued"
