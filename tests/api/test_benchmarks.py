"""GET benchmarks/, their data, methods/; experiments/api/benchmarks.py."""

import json

import pytest

from experiments.models import Item
from tests.api.conftest import problem, vector
from tests.factories import make_benchmark, make_method, make_reference, make_teacher

pytestmark = pytest.mark.django_db


@pytest.fixture
def geography(roles):
    benchmark = make_benchmark()
    make_teacher(benchmark, 0, (0.9, 0.2, 0.6))
    make_teacher(benchmark, 1, (0.1, 0.8, 0.5))
    return benchmark


def lines(answer) -> list[dict]:
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]


def test_the_list_has_sizes_models_and_ends(agent, geography):
    make_benchmark("latitude", state="registered")
    answer = agent.get("benchmarks/").json()
    first, second = answer["results"]
    assert first["slug"] == "geography"
    assert first["weak_model"] == "wheel:smollm2-135m@layers=4"
    assert (first["weak_accuracy"], first["ceiling_accuracy"], first["weak_se"]) == (0.6, 0.8, 0.02)
    assert first["gap"] == pytest.approx(0.2)
    assert first["gap_over_se"] == pytest.approx(0.2 / (0.02 * 2**0.5))
    assert first["measurable"] is True
    assert second["state"] == "registered"
    assert second["gap"] is None
    assert answer["next"] is None


def test_one_benchmark_has_baselines_budget_and_leak_meter(agent, geography):
    make_reference(geography, doubtful="not traced")
    found = agent.get("benchmarks/geography/").json()
    assert {(line["arm"], line["split"]) for line in found["baselines"]} == {
        (arm, "dev") for arm in ("weak", "vanilla", "ceiling", "control")
    }
    assert found["budget"]["left"] == found["budget"]["limit"] == 100
    assert found["leak"] == {"queries": 0, "updates": 0, "bits": 0.0, "bias_bound": None, "bias_bound_pgr": None}
    assert found["references"][0]["doubtful"] == "not traced"
    assert agent.get(found["data"]["dev"]).status_code == 200


def test_the_leak_meter_counts_uploads(agent, sealed_benchmark, labels, scorer):
    for wrong in (60, 40):
        agent.send("evaluations/", {"benchmark": "geography", "predictions": vector(labels, wrong)})
    found = agent.get("benchmarks/geography/").json()
    assert (found["budget"]["used"], found["budget"]["left"]) == (2, 98)
    assert (found["leak"]["queries"], found["leak"]["updates"]) == (2, 2)
    assert found["leak"]["bits"] == pytest.approx(2 * (1 + 6.643856), rel=1e-6)
    assert found["leak"]["bias_bound_pgr"] == pytest.approx(found["leak"]["bias_bound"] / 0.2)
    line = agent.get("me/").json()["budgets"]["evaluations"][0]
    assert (line["benchmark"], line["left"]) == ("geography", 98)


def test_search_and_state(agent, geography):
    make_benchmark("latitude", state="registered", description="further north")
    assert [each["slug"] for each in agent.get("benchmarks/?search=NORTH").json()["results"]] == ["latitude"]
    assert [each["slug"] for each in agent.get("benchmarks/?state=ready").json()["results"]] == ["geography"]
    assert "ready" in str(problem(agent.get("benchmarks/?state=steady"), 400, "invalid")["errors"])


def test_an_unknown_benchmark_is_404(agent):
    problem(agent.get("benchmarks/atlantis/"), 404, "not-found")
    problem(agent.get("benchmarks/atlantis/data/dev/"), 404, "not-found")


def test_train_data_has_inputs_and_one_teachers_labels(agent, geography):
    found = lines(agent.get("benchmarks/geography/data/train/"))
    assert [line["position"] for line in found] == [0, 1, 2]
    assert all(line["question"].startswith("student_train") for line in found)
    assert [line["weak_prob"] for line in found] == [0.9, 0.2, 0.6]
    assert [line["weak_label"] for line in found] == [1, 0, 1]
    other = lines(agent.get("benchmarks/geography/data/train/?teacher=1"))
    assert [line["weak_prob"] for line in other] == [0.1, 0.8, 0.5]
    assert [line["weak_label"] for line in other] == [0, 1, 1]


def test_dev_data_has_inputs_only(agent, geography):
    found = lines(agent.get("benchmarks/geography/data/dev/"))
    assert len(found) == 3
    assert all(set(line) == {"position", "question", "responses", "group"} for line in found)
    assert all(line["question"].startswith("dev") for line in found)


def test_groups_are_numbers_without_names(agent, geography):
    Item.objects.filter(split="dev").update(group="the answer is Paris")
    Item.objects.filter(split="dev", position=1).update(group="another")
    assert [line["group"] for line in lines(agent.get("benchmarks/geography/data/dev/"))] == [0, 1, 0]


@pytest.mark.parametrize("part", ["holdout", "teacher_train", "student_train", "test"])
@pytest.mark.parametrize("role", ["agent", "researcher", "admin"])
def test_other_splits_are_not_served_to_anybody(caller, geography, part, role):
    found = problem(caller(role).get(f"benchmarks/geography/data/{part}/"), 404, "not-found")
    assert "train, dev" in found["detail"]


def test_data_of_an_unprepared_benchmark_is_409(agent):
    make_benchmark("latitude", state="preparing")
    problem(agent.get("benchmarks/latitude/data/dev/"), 409, "not-ready")


@pytest.mark.parametrize("teacher", ["2", "-1", "first"])
def test_an_unknown_teacher_is_400(agent, geography, teacher):
    found = problem(agent.get(f"benchmarks/geography/data/train/?teacher={teacher}"), 400, "invalid")
    assert found["errors"][0]["parameter"] == "teacher"


def test_data_is_read_in_chunks_with_few_queries(agent, geography, django_assert_max_num_queries):
    common = {"benchmark": geography, "split": "dev", "responses": ["a", "b"]}
    rows = [Item(**common, position=3 + i, question=f"q{i}", group=f"g{i // 2}") for i in range(2500)]
    Item.objects.bulk_create(rows)
    with django_assert_max_num_queries(10):
        found = lines(agent.get("benchmarks/geography/data/dev/"))
    assert [line["position"] for line in found] == list(range(2503))


def test_data_can_be_asked_for_as_ndjson(agent, geography):
    assert len(lines(agent.get("benchmarks/geography/data/dev/", HTTP_ACCEPT="application/x-ndjson"))) == 3
    problem(agent.get("benchmarks/atlantis/data/dev/", HTTP_ACCEPT="application/x-ndjson"), 404, "not-found")


def test_methods_carry_their_option_schema(agent):
    make_method("logconf")
    make_method("zero-shot", method_class="policy_gray")
    listed = agent.get("methods/").json()["results"]
    assert [each["name"] for each in listed] == ["logconf", "zero-shot"]
    assert listed[0]["options_schema"]["properties"]["weight"]["default"] == 0.5
    assert [each["name"] for each in agent.get("methods/?class=policy_gray").json()["results"]] == ["zero-shot"]
    assert agent.get("methods/logconf/").json()["class"] == "weak_to_strong"
    problem(agent.get("methods/alchemy/"), 404, "not-found")
