"""No agent sees a holdout score: not in any answer, filter, order or search."""

import json

import pytest
from django.urls import get_resolver

from tests.api.conftest import problem, vector
from tests.conftest import rewrite_finished
from tests.factories import make_event, make_experiment, make_method, make_reference

pytestmark = pytest.mark.django_db

# Holdout numbers that occur nowhere else
SCORE, ACCURACY, EDGE = 0.31415926, 0.27182818, 0.16180339
MUST_ANSWER = {
    "api_me", "api_benchmarks", "api_benchmark", "api_data", "api_methods", "api_method", "api_experiments",
    "api_experiment", "api_evaluations", "api_evaluation", "api_upload", "api_leaderboard",
}  # fmt: skip


@pytest.fixture
def scored(sealed_benchmark, agent, labels, scorer):
    """A lab in which every kind of row exists and every holdout number is recognisable."""
    make_method("vanilla")
    make_reference(sealed_benchmark)
    sealed_benchmark.provenance |= {"holdout": {"accuracy": ACCURACY}}
    sealed_benchmark.save()
    line = {"value": EDGE, "low": EDGE, "high": EDGE, "se": EDGE, "bounded": True, "n_items": 5, "n_seeds": 3}
    experiment = make_experiment(
        benchmark=sealed_benchmark, user=agent.user, state="scored", dev=0.5, holdout=0.4, holdout_pgr=SCORE,
        holdout_accuracy=ACCURACY, holdout_score={**line, "vanilla": line},
        provenance={"code": "c", "holdout_digest": "h", "splits": [{"holdout": SCORE}]},
    )  # fmt: skip
    rewrite_finished(experiment.runs.all(), holdout_pgr=SCORE, holdout_accuracy=ACCURACY)
    agent.send("evaluations/", {"benchmark": "geography", "predictions": vector(labels, 50)})
    make_event("experiment.scored", f"experiment:{experiment.pk}")
    return experiment


def readable_paths(experiment) -> dict[str, str]:
    """Every GET address of the API, from the URL file, by its name: a new one is tested as soon as it exists."""
    values = {
        "slug": "geography", "part": "train", "name": "vanilla", "experiment_id": experiment.pk, "pk": 1,
        "evaluation_id": experiment.submitter.evaluations.get().pk, "upload_id": experiment.submitter.uploads.get().pk,
    }  # fmt: skip
    paths = {}
    for name, entries in get_resolver().reverse_dict.lists():
        if isinstance(name, str) and name.startswith("api_") and name != "api_docs":
            template, parameters = entries[0][0][0]
            if all(parameter in values for parameter in parameters):
                paths[name] = "/" + template % {parameter: values[parameter] for parameter in parameters}
    return paths


def read(client, path) -> str | None:
    """The body as text; None where an agent has nothing to read."""
    answer = client.get(path)
    if answer.status_code in (403, 404, 405):
        return None
    assert answer.status_code == 200, (path, answer.content)
    return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()


def walk(value, path="$"):
    """(path, name or value) of everything in a JSON document."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield path, name
            yield from walk(below, f"{path}.{name}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from walk(below, f"{path}[{index}]")
    else:
        yield path, value


def test_no_answer_to_an_agent_holds_a_holdout_score(agent, scored):
    answers = {name: read(agent, path) for name, path in readable_paths(scored).items()}
    assert answers["api_events"] is None
    assert {name for name, text in answers.items() if text} >= MUST_ANSWER
    for name, text in answers.items():
        for line in (text or "").splitlines():
            for place, found in walk(json.loads(line)):
                assert "holdout" not in str(found).lower(), (name, place, found)
                assert found not in (SCORE, ACCURACY, EDGE), (name, place)


def test_people_do_see_them(caller, scored):
    people = caller("viewer")
    one = people.get(f"experiments/{scored.pk}/").json()
    assert (one["holdout_pgr"], one["holdout_accuracy"], one["holdout"]["low"]) == (SCORE, ACCURACY, EDGE)
    assert one["holdout_over_vanilla"]["value"] == EDGE
    assert one["runs"][0]["holdout_pgr"] == SCORE
    assert people.get("experiments/").json()["results"][0]["holdout_pgr"] == SCORE
    row = people.get("leaderboard/?benchmark=geography").json()["results"][0]
    assert row["holdout_pgr"] == SCORE
    assert row["dev_above_holdout"] == pytest.approx(0.5 - SCORE)
    splits = {line["split"] for line in people.get("benchmarks/geography/").json()["baselines"]}
    assert splits == {"dev", "holdout"}


@pytest.mark.parametrize("ordering", ["holdout_pgr", "-holdout_pgr", "holdout_accuracy", "holdout_score"])
def test_an_agent_cannot_order_by_them_and_is_not_told_that_others_can(agent, scored, ordering):
    found = problem(agent.get(f"experiments/?ordering={ordering}"), 400, "invalid")
    assert "holdout" not in found["errors"][0]["detail"].partition("not one of")[2]


def test_people_can_order_by_them(caller, scored):
    assert caller("viewer").get("experiments/?ordering=-holdout_pgr").status_code == 200


@pytest.mark.parametrize("name", ["holdout_pgr", "holdout_pgr__gt", "holdout_accuracy", "runs__holdout_pgr", "fields"])
def test_no_filter_knows_them(agent, caller, scored, name):
    for client in (agent, caller("viewer")):
        for path in ("experiments/", "leaderboard/", "evaluations/", "benchmarks/"):
            problem(client.get(f"{path}?{name}=0.1"), 400, "invalid")


@pytest.mark.parametrize("text", [str(SCORE), str(ACCURACY), "holdout"])
def test_no_search_finds_them(agent, scored, text):
    assert agent.get(f"experiments/?search={text}").json()["results"] == []


def test_the_answer_to_a_submission_has_none(agent, scored):
    made = agent.send("experiments/", {"benchmark": "geography", "method": {"recipe": "vanilla"}})
    assert made.status_code == 202
    assert "holdout" not in made.content.decode()
    cancelled = agent.send(f"experiments/{made.json()['id']}/cancel/")
    assert "holdout" not in cancelled.content.decode()
