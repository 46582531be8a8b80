"""M1–M7 attacked: what the design must make impossible, tried with a token, a session and a bare process."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from agents.services import create_token
from experiments import dispatch, seeds
from experiments.api import evaluations as door
from experiments.models import Evaluation, LeakMeter, Upload
from experiments.services import uploads
from experiments.services.experiments import submit_experiment
from experiments.services.scored_uploads import score_upload
from forum.services.posting import post_finding
from tests.conftest import rewrite_finished
from tests.factories import make_method, make_user
from tests.labelled import ITEMS, labels_of, make_labelled_benchmark, train_by_hand
from tests.redteam.world import Account

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
SENTENCE = "holdout question"  # stands in every holdout item of the labelled benchmark, and nowhere else


@pytest.fixture
def lab(roles, monkeypatch, settings):
    """A scored experiment and a finding on a benchmark with sealed labels; uploads are scored in place."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    monkeypatch.setattr(dispatch, "_send", lambda task, queue, *args: None)
    monkeypatch.setattr(door, "await_evaluation", _at_once)
    make_method("vanilla")
    benchmark = make_labelled_benchmark()
    user = make_user("agent", name="insider")
    experiment = train_by_hand(
        submit_experiment(user=user, benchmark="geography", method="vanilla", options={}, seeds=4), 0.765
    )
    experiment.holdout_accuracy, experiment.holdout_pgr = 0.7123457, 0.4987653
    experiment.save(update_fields=["holdout_accuracy", "holdout_pgr"])
    rewrite_finished(experiment.runs.all(), holdout_accuracy=0.7123457, holdout_pgr=0.4987653)
    post_finding(user=user, kind="result", title="It works", body=f"{{{{pgr exp:{experiment.pk}}}}}",
                 experiments=[experiment.pk])  # fmt: skip
    return benchmark, experiment


def _at_once(upload_id, **_):
    score_upload(upload_id)
    return uploads.told_of(Upload.objects.get(pk=upload_id).evaluation)


def _paths(patterns, prefix=""):
    """Every URL of the lab, as Django knows it."""
    for each in patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _paths(each.url_patterns, route)
        elif isinstance(each, URLPattern):
            yield route


def _concrete(route, experiment, benchmark):
    """A route with real ids in its places."""
    run = experiment.runs.first()
    values = {
        "slug": benchmark.slug,
        "benchmark": benchmark.slug,
        "part": "holdout",
        "name": "vanilla",
        "run_id": run.pk,
    }

    def value(found):
        name = found.group(1).split(":")[-1]
        return str(values.get(name, experiment.pk))

    return "/" + re.sub(r"<([^>]+)>", value, route.replace("^", "").replace("$", "").replace("\\Z", ""))


def _crawl(get, lab):
    benchmark, experiment = lab
    answers = {}
    for route in sorted(set(_paths(get_resolver().url_patterns))):
        if any(part in route for part in ("admin/", "static", "(?P", "logout", "mcp")):
            continue
        path = _concrete(route, experiment, benchmark)
        response = get(path)
        content = b"".join(response.streaming_content) if response.streaming else response.content
        answers[path] = (response.status_code, content.decode("utf-8", "replace"))
    return answers


def _leaks(answers):
    """Paths whose answer holds a holdout item, a holdout score, or where labels lie."""
    return [
        path
        for path, (_, text) in answers.items()
        if SENTENCE in text or "7123457" in text or "4987653" in text or ".npz" in text
    ]


def test_m2_no_url_of_the_lab_gives_an_agents_token_a_holdout_item_score_or_label_path(lab):
    _, token = create_token(name="outsider", role="agent", scopes=("read", "write"))
    from django.test import Client

    client = Client(raise_request_exception=False, headers={"authorization": f"Bearer {token}"})
    answers = _crawl(client.get, lab)
    assert sum(status == 200 for status, _ in answers.values()) > 10
    assert _leaks(answers) == []


def test_m2_nor_does_an_agents_account_that_got_hold_of_a_session(lab, client):
    client.raise_request_exception = False
    client.force_login(lab[1].submitter)
    assert _leaks(_crawl(client.get, lab)) == []


def test_m2_people_see_holdout_scores_so_the_crawl_can_find_them(lab, client):
    """The check above is no empty one."""
    client.raise_request_exception = False
    client.force_login(make_user("reviewer"))
    assert _leaks(_crawl(client.get, lab))


def test_m1_uploaded_vectors_never_reach_the_leaderboard(lab):
    agent = Account("uploader")
    agent.upload(labels_of("geography", "dev"))
    board = agent.get("leaderboard/?benchmark=geography&class=weak_to_strong").json()
    assert "uploader" not in str(board)
    assert not Evaluation.objects.get(submitter=agent.user).verified


@pytest.mark.parametrize("extra", [{"predictions": [1, 0]}, {"dev_pgr": 1.0}, {"seed": 7}, {"standing": "counted"}])
def test_m1_m3_m4_an_experiment_takes_no_predictions_scores_or_seeds_from_its_submitter(lab, extra):
    agent = Account("claimant")
    body = {"benchmark": "geography", "title": "x", "hypothesis": "", "seeds": 2,
            "method": {"recipe": "vanilla", "options": {}}}  # fmt: skip
    plain = agent.post("experiments/", body).json()["id"]
    answer = agent.post("experiments/", {**body, **extra})
    if answer.status_code == 202:  # unknown fields are passed over, never taken
        told = agent.get(f"experiments/{answer.json()['id']}/").json()
        assert told.get("dev_pgr") is None
        from experiments.models import Experiment

        same = [list(Experiment.objects.get(pk=pk).runs.values_list("seed", flat=True)) for pk in (plain, told["id"])]
        assert same[0] == same[1]
    else:
        assert answer.status_code == 400


def test_m3_seeds_follow_from_method_and_secret_alone(settings):
    first = seeds.draw_seeds("a" * 64, "geography", 0, 5)
    assert first == seeds.draw_seeds("a" * 64, "geography", 0, 5)
    assert not set(first) & set(seeds.draw_seeds("b" * 64, "geography", 0, 5))
    settings.SEED_SECRET = "another"
    assert not set(first) & set(seeds.draw_seeds("a" * 64, "geography", 0, 5))


def test_m4_numbers_in_findings_are_the_ledgers(lab):
    agent = Account("boaster")
    finding = agent.post(
        "findings/", {"kind": "result", "title": "t", "body": f"dev PGR {{{{pgr exp:{lab[1].pk}}}}} or 0.99",
                      "experiments": [lab[1].pk]},
    ).json()  # fmt: skip
    assert 'class="' in finding["html"]
    assert f"{lab[1].dev_pgr:.2f}" in finding["html"]


def test_m5_m6_the_ladder_answers_the_meter_counts_the_team_shares_one_budget(lab):
    benchmark, _ = lab
    benchmark.query_limit = 30
    benchmark.save(update_fields=["query_limit"])
    labels = labels_of("geography", "dev").astype(bool)
    guess = labels ^ (np.arange(ITEMS) % 4 == 0)
    agents, told = [Account("left"), Account("right")], []
    for query in range(40):
        flipped = guess.copy()
        flipped[query] ^= True
        answer = agents[query % 2].upload(flipped)
        if answer is not None:
            told.append(answer)
    assert len(told) == 30
    assert len(set(told)) == 1  # not one flip moved it
    meter = LeakMeter.objects.get(benchmark=benchmark)
    assert (meter.queries, meter.updates) == (30, 1)
    shown = agents[0].get("benchmarks/geography/").json()
    assert '"queries": 30' in str(shown).replace("'", '"')
    refused = agents[0].post("evaluations/", {"benchmark": "geography", "predictions": guess.astype(int).tolist()})
    assert refused.status_code == 429


@pytest.mark.parametrize("body", [{"benchmark": "geography", "predictions": [1]}, {"benchmark": "x", "predictions": []},
                                  {"benchmark": "geography", "predictions": [2] * ITEMS}])  # fmt: skip
def test_m7_error_messages_name_the_field_and_no_label(lab, body):
    answer = Account("fumbler").post("evaluations/", body)
    assert answer.status_code == 400
    text = answer.content.decode()
    assert ".npz" not in text and "ground" not in text.lower() and "Traceback" not in text


def test_m7_a_web_process_cannot_open_labels():
    code = (
        "import os, django; os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'aarweb.settings'); django.setup()\n"
        "from experiments import ground_truth\n"
        "try: ground_truth.read(ground_truth.Sealed('geography/labels-0.npz', '0'))\n"
        "except ground_truth.GroundTruthError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "closed in this process" in done.stdout
