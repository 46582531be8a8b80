"""POST and GET experiments/, cancel and rerun; experiments/api/experiments.py."""

import json
import threading

import pytest
from django.db import connection
from rest_framework.test import APIClient

from experiments.models import Event, Experiment, Run
from tests.api.conftest import problem
from tests.factories import make_benchmark, make_experiment, make_method

pytestmark = pytest.mark.django_db


@pytest.fixture
def bench(roles):
    make_method("logconf")
    return make_benchmark()


def body(**changes):
    return {
        "benchmark": "geography", "title": "Self-confidence", "hypothesis": "Hardening helps",
        "method": {"recipe": "logconf", "options": {"weight": 0.4}}, "seeds": 4, **changes,
    }  # fmt: skip


def test_submitting_answers_202_with_the_queued_experiment(agent, bench):
    answer = agent.send("experiments/", body())
    assert answer.status_code == 202
    made = answer.json()
    assert made["state"] == "queued"
    assert made["submitter"] == agent.user.username
    assert made["standing"] == "counted"
    assert made["method"]["recipe"] == "logconf"
    assert made["method"]["options"]["weight"] == 0.4
    assert made["run_states"] == {"queued": 4}
    assert answer["Location"] == made["links"]["self"] == f"/api/v1/experiments/{made['id']}/"
    assert Run.objects.filter(experiment=made["id"]).count() == 4
    assert agent.get(answer["Location"]).json()["title"] == "Self-confidence"


def test_title_hypothesis_options_and_seeds_have_defaults(agent, bench):
    made = agent.send("experiments/", {"benchmark": "geography", "method": {"recipe": "logconf"}}).json()
    assert made["seeds"] == bench.default_seeds
    assert made["title"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"benchmark": "atlantis"}, "#/benchmark"),
        ({"benchmark": None}, "#/benchmark"),
        ({"method": {"recipe": "alchemy"}}, "#/method/recipe"),
        ({"method": {}}, "#/method/recipe"),
        ({"method": "logconf"}, "#/method"),
        ({"method": {"recipe": "logconf", "options": {"weight": 7}}}, "#/method/options/weight"),
        ({"method": {"recipe": "logconf", "options": {"wieght": 0.5}}}, "#/method/options/wieght"),
        ({"method": {"recipe": "logconf", "options": {"schedule": "a\x00b"}}}, "#/method/options"),
        ({"seeds": 0}, "#/seeds"),
        ({"seeds": 101}, "#/seeds"),
        ({"seeds": "many"}, "#/seeds"),
        ({"title": "x" * 201}, "#/title"),
        ({"title": "a\x00b"}, "#/title"),
        ({"hypotesis": "misspelt"}, "#/hypotesis"),
    ],
)
def test_bad_input_is_400_and_points_at_the_field(agent, bench, changes, pointer):
    found = problem(agent.send("experiments/", body(**changes)), 400, "invalid")
    assert pointer in [each["pointer"] for each in found["errors"]]
    assert not Experiment.objects.exists()


@pytest.mark.parametrize("place", ["title", "hypothesis", "schedule"])
def test_text_that_no_database_holds_is_400(agent, bench, place):
    given = body(method={"recipe": "logconf", "options": {"schedule": "PLACE"}}, title="PLACE", hypothesis="PLACE")
    if place != "schedule":
        given = body(**{place: "PLACE"})
    text = json.dumps(given).replace("PLACE", "\\ud800")
    problem(agent.post("experiments/", text, content_type="application/json"), 400, "invalid")


def test_unknown_names_list_the_known_ones(agent, bench):
    assert "geography" in str(problem(agent.send("experiments/", body(benchmark="x")), 400, "invalid")["errors"])
    found = problem(agent.send("experiments/", body(method={"recipe": "x"})), 400, "invalid")
    assert "logconf" in str(found["errors"])


def test_what_the_benchmark_keeps_back_is_422(agent, bench):
    make_method("zero-shot", uses=["likelihood"])
    problem(agent.send("experiments/", body(method={"recipe": "zero-shot"})), 422, "refused")


def test_an_unknown_snapshot_is_named(agent, bench):
    found = problem(agent.send("experiments/", body(method={"snapshot": 3})), 400, "invalid")
    assert found["errors"][0]["pointer"] == "#/method/snapshot"


def test_an_unprepared_benchmark_is_409(agent, bench):
    make_benchmark("latitude", state="registered")
    problem(agent.send("experiments/", body(benchmark="latitude")), 409, "not-ready")


def test_viewers_may_not_submit(caller, bench):
    problem(caller("viewer").send("experiments/", body()), 403, "forbidden")


def test_the_same_key_and_body_get_the_first_answer(agent, bench):
    first = agent.send("experiments/", body(), key="one")
    second = agent.send("experiments/", body(), key="one")
    assert second.status_code == 202
    assert second.json() == first.json()
    assert second["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Experiment.objects.count() == 1


def test_the_same_key_with_another_body_is_409(agent, bench):
    agent.send("experiments/", body(), key="one")
    problem(agent.send("experiments/", body(seeds=5), key="one"), 409, "idempotency-clash")
    assert Experiment.objects.count() == 1


def test_keys_belong_to_their_callers_and_addresses(agent, caller, bench):
    first = agent.send("experiments/", body(), key="one").json()
    second = caller("agent").send("experiments/", body(), key="one").json()
    assert first["id"] != second["id"]


def test_a_refused_call_leaves_its_key_free(agent, bench):
    problem(agent.send("experiments/", body(benchmark="atlantis"), key="one"), 400, "invalid")
    assert agent.send("experiments/", body(), key="one").status_code == 202


@pytest.mark.parametrize("key", ["x" * 201, "ümlaut"])
def test_a_malformed_key_is_400(agent, bench, key):
    problem(agent.send("experiments/", body(), key=key), 400, "invalid")


@pytest.mark.django_db(transaction=True)
def test_concurrent_duplicates_create_one_row(agent, bench):
    answers, gate = [], threading.Barrier(6)

    def post():
        client = APIClient()
        client.credentials(**agent._credentials)
        gate.wait()
        answers.append(client.post("/api/v1/experiments/", body(), format="json", HTTP_IDEMPOTENCY_KEY="one"))
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.status_code for each in answers] == [202] * 6
    assert len({each.json()["id"] for each in answers}) == 1
    assert Experiment.objects.count() == 1
    assert sum("Idempotent-Replayed" not in each for each in answers) == 1


def test_reading_one_shows_runs_score_and_the_end_of_logs(agent, bench):
    scored = make_experiment(benchmark=bench, state="scored", dev=0.55)
    found = agent.get(f"experiments/{scored.pk}/").json()
    assert found["dev_pgr"] == 0.55
    assert found["dev"]["low"] < 0.55 < found["dev"]["high"]
    assert found["dev_over_vanilla"]["value"] == pytest.approx(0.15)
    assert [run["seed_index"] for run in found["runs"]] == [0, 1, 2]
    run = found["runs"][0]
    assert run["state"] == "scored"
    assert run["log_tail"].endswith("done")
    assert len(run["curves"][0]["x"]) == 20


@pytest.mark.parametrize("pk", ["999", "99999999999999999999999"])
@pytest.mark.parametrize("end", ["", "cancel/", "rerun/"])
def test_an_absent_experiment_is_404(researcher, pk, end):
    path = f"experiments/{pk}/{end}"
    problem(researcher.send(path) if end else researcher.get(path), 404, "not-found")


def test_cancelling_stops_the_runs_and_only_once(agent, bench):
    mine = make_experiment(benchmark=bench, user=agent.user)
    answer = agent.send(f"experiments/{mine.pk}/cancel/")
    assert answer.status_code == 200
    assert answer.json()["state"] == "cancelled"
    assert answer.json()["run_states"] == {"cancelled": 3}
    problem(agent.send(f"experiments/{mine.pk}/cancel/"), 409, "illegal-transition")


def test_an_agent_cannot_cancel_anothers_and_a_reviewer_can(agent, caller, bench):
    theirs = make_experiment(benchmark=bench)
    problem(agent.send(f"experiments/{theirs.pk}/cancel/"), 403, "forbidden")
    assert caller("reviewer").send(f"experiments/{theirs.pk}/cancel/").status_code == 200


def test_a_rerun_is_a_new_experiment_and_idempotent(researcher, bench):
    old = make_experiment(benchmark=bench, state="scored")
    first = researcher.send(f"experiments/{old.pk}/rerun/", key="again")
    assert first.status_code == 202
    assert first.json()["rerun_of"] == old.pk
    assert first.json()["replicate"] == 1
    assert researcher.send(f"experiments/{old.pk}/rerun/", key="again").json() == first.json()
    assert Experiment.objects.count() == 2


def test_an_agent_may_not_rerun(agent, bench):
    old = make_experiment(benchmark=bench, state="scored")
    problem(agent.send(f"experiments/{old.pk}/rerun/"), 403, "forbidden")


def test_a_submission_is_in_the_log(agent, bench):
    made = agent.send("experiments/", body()).json()
    event = Event.objects.get(kind="experiment.submitted")
    assert event.subject == f"experiment:{made['id']}"
    assert event.actor == agent.user
