"""POST evaluations/ and what is told of uploads; experiments/services/uploads.py and scored_uploads.py."""

import hashlib
import threading
import time
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from experiments import answers
from experiments.live import client
from experiments.models import Benchmark, Evaluation, Event, LeakMeter, Upload
from experiments.services import scored_uploads, uploads
from tests.api.conftest import DEV_ITEMS, problem, vector
from tests.factories import make_benchmark

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sealed_benchmark", "scorer")]


@pytest.fixture
def silent(scorer, monkeypatch):
    """Nobody scores: the message is lost, and the wait is short."""
    monkeypatch.setattr(uploads, "_wake", lambda *_: None)
    monkeypatch.setattr(uploads.await_evaluation, "__kwdefaults__", {"seconds": 1})


def body(labels, wrong=50, **changes):
    return {"benchmark": "geography", "predictions": vector(labels, wrong), **changes}


def test_an_upload_is_scored_and_answered(agent, labels):
    answer = agent.send("evaluations/", body(labels, wrong=50))
    assert answer.status_code == 201
    told = answer.json()
    # accuracy .75 is on a rung; weak .6, ceiling .8
    assert told["dev_pgr"] == pytest.approx((0.75 - 0.6) / 0.2)
    assert told["verified"] is False
    assert told["queries_left"] == 99
    assert told["benchmark"] == "geography"
    row = Evaluation.objects.get(pk=told["id"])
    assert row.accuracy == 0.75
    assert row.split == "dev"
    assert row.n_items == DEV_ITEMS
    assert row.submitter == agent.user
    assert row.predictions_digest == hashlib.sha256(bytes(row.predictions)).hexdigest()
    assert np.unpackbits(np.frombuffer(row.predictions, np.uint8), count=DEV_ITEMS).tolist() == vector(labels, 50)
    assert {**agent.get(answer["Location"]).json(), "upload": told["upload"], "queries_left": 99} == told


def test_the_answer_is_the_ladders_for_the_whole_team(agent, caller, labels):
    def told(who, wrong):
        return agent_told(who.send("evaluations/", body(labels, wrong=wrong)).json())

    def agent_told(answer):
        return None if answer["dev_pgr"] is None else round(answer["dev_pgr"] * 0.2 + 0.6, 6)

    other = caller("agent")
    assert told(agent, 60) == 0.7
    assert told(agent, 59) == 0.7  # .705 is no step above
    assert told(other, 58) == 0.7  # .71 is a step, not more
    assert told(other, 90) == 0.7  # and says nothing of this one
    assert told(agent, 40) == 0.8
    assert told(other, 199) == 0.8
    meter = LeakMeter.objects.get()
    assert (meter.queries, meter.updates, meter.best_accuracy) == (6, 2, 0.8)
    assert meter.bits == pytest.approx(2 * (np.log2(6) + np.log2(100)))
    assert sum(Evaluation.objects.values_list("charged_bits", flat=True)) == pytest.approx(meter.bits)


def test_a_raised_rung_is_news_and_others_are_not(agent, labels):
    for wrong in (60, 61, 40):
        agent.send("evaluations/", body(labels, wrong=wrong))
    assert [each.payload["dev_pgr"] for each in Event.objects.order_by("number")] == pytest.approx([0.5, 1.0])


@pytest.mark.parametrize(
    ("predictions", "pointer"),
    [
        ([0, 1], "#/predictions"),
        ([0] * (DEV_ITEMS + 1), "#/predictions"),
        ([], "#/predictions"),
        ("0101", "#/predictions"),
        ({"0": 1}, "#/predictions"),
        (None, "#/predictions"),
        ([0] * (DEV_ITEMS - 1) + [2], f"#/predictions/{DEV_ITEMS - 1}"),
        ([0.5] * DEV_ITEMS, "#/predictions/0"),
        ([1.0] * DEV_ITEMS, "#/predictions/0"),
        ([True] * DEV_ITEMS, "#/predictions/0"),
        (["1"] * DEV_ITEMS, "#/predictions/0"),
        ([0, None] * (DEV_ITEMS // 2), "#/predictions/1"),
        ([0, [1]] * (DEV_ITEMS // 2), "#/predictions/1"),
    ],
)
def test_anything_but_a_full_vector_of_0_and_1_is_400(agent, predictions, pointer):
    found = problem(agent.send("evaluations/", {"benchmark": "geography", "predictions": predictions}), 400, "invalid")
    assert [each["pointer"] for each in found["errors"]] == [pointer]
    assert not Upload.objects.exists()


def test_a_wrong_length_says_the_right_one(agent):
    found = problem(agent.send("evaluations/", {"benchmark": "geography", "predictions": [1]}), 400, "invalid")
    assert f"expected {DEV_ITEMS} predictions" in found["errors"][0]["detail"]


def test_an_unknown_benchmark_is_400_and_lists_the_known(agent, labels):
    found = problem(agent.send("evaluations/", body(labels, benchmark="atlantis")), 400, "invalid")
    assert found["errors"][0]["pointer"] == "#/benchmark"
    assert "geography" in found["errors"][0]["detail"]


def test_an_unprepared_benchmark_is_409(agent, labels):
    make_benchmark("latitude", state="preparing")
    problem(agent.send("evaluations/", body(labels, benchmark="latitude")), 409, "not-ready")


def test_viewers_may_not_upload(caller, labels):
    problem(caller("viewer").send("evaluations/", body(labels)), 403, "forbidden")


def test_a_spent_budget_is_429_and_says_when_it_refills(agent, caller, labels):
    Benchmark.objects.update(query_limit=2, query_window_seconds=3600)
    assert agent.send("evaluations/", body(labels)).json()["queries_left"] == 1
    assert caller("agent").send("evaluations/", body(labels)).json()["queries_left"] == 0
    answer = agent.send("evaluations/", body(labels))
    found = problem(answer, 429, "over-budget")
    assert found["budget"] == "evaluations:geography"
    assert found["limit"] == 2
    first = Upload.objects.order_by("pk").first()
    assert found["refills_at"] == (first.created_at + timedelta(hours=1)).isoformat()
    assert 3590 <= int(answer["Retry-After"]) <= 3600
    assert Upload.objects.count() == 2


def test_the_window_slides(agent, labels):
    Benchmark.objects.update(query_limit=2, query_window_seconds=3600)
    for _ in range(2):
        agent.send("evaluations/", body(labels))
    oldest = Upload.objects.order_by("pk").first()
    Upload.objects.filter(pk=oldest.pk).update(created_at=timezone.now() - timedelta(seconds=3601))
    assert agent.send("evaluations/", body(labels)).status_code == 201
    problem(agent.send("evaluations/", body(labels)), 429, "over-budget")


def test_a_limit_of_nothing_never_refills(agent, labels):
    Benchmark.objects.update(query_limit=0)
    answer = agent.send("evaluations/", body(labels))
    assert problem(answer, 429, "over-budget")["refills_at"] is None
    assert "Retry-After" not in answer


def in_threads(number, call):
    gate = threading.Barrier(number)
    results = []

    def run():
        gate.wait()
        results.append(call())
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.usefixtures("called_scorer")
@pytest.mark.django_db(transaction=True)
def test_concurrent_uploads_cannot_overdraw_the_budget(agent, labels):
    Benchmark.objects.update(query_limit=3)

    def post():
        client = APIClient()
        client.credentials(**agent._credentials)
        return client.post("/api/v1/evaluations/", body(labels), format="json").status_code

    assert sorted(in_threads(8, post)) == [201] * 3 + [429] * 5
    assert Upload.objects.count() == 3
    meter = LeakMeter.objects.get()
    assert (meter.queries, meter.updates) == (3, 1)


@pytest.mark.usefixtures("called_scorer")
@pytest.mark.django_db(transaction=True)
def test_concurrent_duplicates_are_one_upload_with_one_answer(agent, labels):
    def post():
        client = APIClient()
        client.credentials(**agent._credentials)
        return client.post("/api/v1/evaluations/", body(labels), format="json", HTTP_IDEMPOTENCY_KEY="one").json()

    told = in_threads(5, post)
    assert all(each == told[0] for each in told)
    assert Upload.objects.count() == 1


def test_the_same_key_with_other_predictions_is_409(agent, labels):
    agent.send("evaluations/", body(labels, wrong=50), key="one")
    problem(agent.send("evaluations/", body(labels, wrong=51), key="one"), 409, "idempotency-clash")
    assert Upload.objects.count() == 1


@pytest.mark.usefixtures("silent")
def test_without_a_scorer_it_is_503_and_the_upload_is_scored_later(agent, labels):
    answer = agent.send("evaluations/", body(labels), key="one")
    found = problem(answer, 503, "scorer-unavailable")
    assert int(answer["Retry-After"]) > 0
    waiting = agent.get(f"uploads/{found['upload']}/").json()
    assert waiting["scored"] is False
    assert waiting["evaluation"] is None
    scored_uploads.score_upload(found["upload"])
    scored = agent.get(f"uploads/{found['upload']}/").json()
    assert scored["scored"] is True
    again = agent.send("evaluations/", body(labels), key="one").json()
    assert again["id"] == scored["evaluation"]["id"]
    assert again["queries_left"] == 99
    assert Upload.objects.count() == 1


@pytest.mark.usefixtures("silent")
def test_one_message_scores_all_that_wait_in_order(agent, labels, monkeypatch):
    monkeypatch.setattr(scored_uploads, "BATCH", 2)
    answered = [agent.send("evaluations/", body(labels, wrong=wrong)) for wrong in (60, 50, 55)]
    ids = [problem(each, 503, "scorer-unavailable")["upload"] for each in answered]
    scored_uploads.score_upload(ids[-1])
    told = Upload.objects.order_by("pk").values_list("evaluation__reported_pgr", flat=True)
    assert list(told) == pytest.approx([0.5, 0.75, 0.75])


def test_a_message_delivered_twice_scores_once(agent, labels):
    upload = agent.send("evaluations/", body(labels)).json()["upload"]
    scored_uploads.score_upload(upload)
    assert Evaluation.objects.count() == 1
    assert LeakMeter.objects.get().queries == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_score_an_upload_once(agent, labels, monkeypatch):
    monkeypatch.setattr(uploads, "_wake", lambda *_: None)
    given = {"user": agent.user, "benchmark": "geography"}
    made = [uploads.submit_predictions(**given, predictions=vector(labels, wrong)) for wrong in range(6)]
    in_threads(4, lambda: scored_uploads.score_upload(made[-1].upload))
    assert Evaluation.objects.count() == 6
    assert LeakMeter.objects.get().queries == 6


@pytest.mark.usefixtures("called_scorer")
@pytest.mark.django_db(transaction=True)
def test_one_call_serves_all_who_come_before_it_is_heard(agent, labels, monkeypatch):
    sent = []
    monkeypatch.setattr(uploads.dispatch, "score_upload", sent.append)
    monkeypatch.setattr(answers, "CALL_MILLISECONDS", 60_000)  # none is repeated meanwhile, however slow the machine
    given = {"user": agent.user, "benchmark": "geography", "predictions": vector(labels, 50)}
    made = [uploads.submit_predictions(**given).upload for _ in range(3)]
    assert sent == made[:1]
    scored_uploads.score_upload(sent.pop())
    assert Evaluation.objects.count() == 3
    made = [uploads.submit_predictions(**given).upload for _ in range(2)]
    assert sent == made[:1]


def test_a_call_that_was_lost_is_repeated(monkeypatch):
    monkeypatch.setattr(answers, "CALL_MILLISECONDS", 60_000)
    assert answers.call_for("test:lost")
    assert not answers.call_for("test:lost")
    assert 0 < client().pttl(answers._call("test:lost")) <= 60_000
    client().pexpire(answers._call("test:lost"), 1)  # a minute later
    time.sleep(0.1)
    assert answers.call_for("test:lost")
    answers.heard("test:lost")
    assert answers.call_for("test:lost")


def test_an_answer_reaches_several_who_wait():
    got = []
    threads = [threading.Thread(target=lambda: got.append(answers.wait("test:several", 20))) for _ in range(3)]
    for thread in threads:
        thread.start()
    answers.send("test:several", {"upload": 1})
    for thread in threads:
        thread.join()
    assert got == [{"upload": 1}] * 3


def test_an_agent_reads_its_own_uploads_only(agent, caller, labels):
    mine = agent.send("evaluations/", body(labels)).json()
    other = caller("agent")
    theirs = other.send("evaluations/", body(labels)).json()
    assert [each["id"] for each in agent.get("evaluations/").json()["results"]] == [mine["id"]]
    problem(agent.get(f"evaluations/{theirs['id']}/"), 404, "not-found")
    problem(agent.get(f"uploads/{theirs['upload']}/"), 404, "not-found")
    assert len(caller("viewer").get("evaluations/").json()["results"]) == 2


def test_exact_scores_are_for_reviewers(agent, caller, labels):
    made = agent.send("evaluations/", body(labels, wrong=53)).json()
    path = f"evaluations/{made['id']}/"
    assert caller("reviewer").get(path).json()["exact_accuracy"] == pytest.approx(0.735)
    for role in ("viewer", "researcher"):
        shown = caller(role).get(path).json()
        assert not [name for name in shown if "exact" in name or "bits" in name]
        assert 0.735 not in shown.values()


def test_filters_of_the_list(agent, caller, labels):
    agent.send("evaluations/", body(labels))
    viewer = caller("viewer")
    assert len(viewer.get(f"evaluations/?benchmark=geography&submitter={agent.user.username}").json()["results"]) == 1
    problem(viewer.get("evaluations/?benchmark=atlantis"), 400, "invalid")
    problem(viewer.get("evaluations/?submitter=nobody"), 400, "invalid")
