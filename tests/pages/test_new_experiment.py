"""The page of a new experiment: a form made from a method's schema."""

import pytest

from experiments.models import Experiment, Method
from tests.factories import OPTIONS_SCHEMA, make_benchmark, make_experiment, make_method

HTMX = {"HX-Request": "true"}
GIVEN = {
    "method": "vanilla",
    "benchmark": "geography",
    "option_l2": "cv",
    "option_weight": "0.25",
    "option_rounds": "3",
    "option_schedule": "constant",
}


@pytest.fixture
def ready(roles):
    make_benchmark("geography")
    return make_method("vanilla")


def test_the_form_has_a_field_for_every_option(ready, researcher):
    page = researcher.get("/experiments/new/").content.decode()
    for name in OPTIONS_SCHEMA["properties"]:
        assert f'name="option_{name}"' in page
    assert "A number above 0 or &quot;cv&quot;; default cv" in page
    assert "A whole number from 1 to 10; default 3" in page


def test_submitting_leads_to_the_experiment(ready, researcher):
    response = researcher.post("/experiments/new/", {**GIVEN, "title": "Mine", "hypothesis": "It helps.", "seeds": "2"})
    made = Experiment.objects.get()
    assert response["Location"] == f"/experiments/{made.pk}/"
    assert (made.title, made.hypothesis, made.seeds, made.submitter.username) == ("Mine", "It helps.", 2, "rosa")
    assert made.options == {"l2": "cv", "weight": 0.25, "rounds": 3, "hard": False, "schedule": "constant"}
    page = researcher.get(response["Location"]).content.decode()
    assert f"Submitted as #{made.pk}: 2 seeds wait for a worker." in page


def test_empty_fields_take_the_defaults(ready, researcher):
    given = {"method": "vanilla", "benchmark": "geography", "option_hard": "on", "option_schedule": "linear"}
    researcher.post("/experiments/new/", given)
    made = Experiment.objects.get()
    assert made.options == {"l2": "cv", "weight": 0.5, "rounds": 3, "hard": True, "schedule": "linear"}
    assert made.seeds == 3  # the benchmark's default
    assert made.title


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("option_weight", "1.5", "Expected a number from 0 to 1."),
        ("option_weight", "nan", "Expected a number from 0 to 1."),
        ("option_weight", "much", "Expected a number from 0 to 1."),
        ("option_rounds", "2.5", "Expected a whole number from 1 to 10."),
        ("option_l2", "0", "Expected a number above 0 or &quot;cv&quot;."),
        ("option_l2", "auto", "Expected a number above 0 or &quot;cv&quot;."),
        ("option_schedule", "wild", "Select a valid choice."),
        ("seeds", "0", "greater than or equal to 1"),
        ("seeds", "101", "less than or equal to 100"),
        ("benchmark", "atlantis", "Select a valid choice."),
        ("title", "x" * 201, "at most 200 characters"),
    ],
)
def test_a_wrong_value_is_named_beside_its_field(ready, researcher, field, value, said):
    response = researcher.post("/experiments/new/", {**GIVEN, field: value})
    assert response.status_code == 422
    page = response.content.decode()
    beside = page.split(f'id="new_{field}_error"')[1].split("</span>")[0]
    assert said in beside
    assert 'aria-invalid="true"' in page
    assert not Experiment.objects.exists()


def test_what_was_typed_stays_after_an_error(ready, researcher):
    page = researcher.post("/experiments/new/", {**GIVEN, "title": "Kept", "option_weight": "7"}).content.decode()
    assert 'value="Kept"' in page
    assert 'value="7"' in page


def test_what_only_the_service_sees_is_named_beside_its_field(ready, researcher):
    # a rule that no form field can know: a list of layers, each of them bounded
    layers = {"type": "array", "items": {"type": "integer"}, "title": "Layers"}
    Method.objects.update(options_schema={"properties": {"layers": layers}})
    response = researcher.post(
        "/experiments/new/", {"method": "vanilla", "benchmark": "geography", "option_layers": "x"}
    )
    assert response.status_code == 422
    assert "is not allowed" in response.content.decode().split('id="new_option_layers_error"')[1].split("</span>")[0]


def test_only_benchmarks_that_are_ready_and_offer_enough_are_choices(ready, researcher):
    make_benchmark("bare", offers=[])
    make_benchmark("latitude", state="registered")
    make_benchmark("elements", state="preparing")
    page = researcher.get("/experiments/new/?method=vanilla").content.decode()
    assert 'value="geography"' in page
    for slug in ("bare", "latitude", "elements"):
        assert f'<option value="{slug}"' not in page


def test_a_method_that_no_benchmark_serves_says_what_is_missing(ready, researcher):
    make_method("few-shot", uses=["likelihood"])
    page = researcher.get("/experiments/new/?method=few-shot").content.decode()
    assert "No benchmark that is ready offers what this method uses (likelihood)" in page
    assert "Submit experiment" not in page


def test_a_switched_off_method_cannot_be_chosen(ready, researcher):
    make_method("old", enabled=False)
    page = researcher.get("/experiments/new/?method=old").content.decode()
    assert 'value="old"' not in page
    researcher.post("/experiments/new/", {**GIVEN, "method": "old"})
    assert not Experiment.objects.filter(method__name="old").exists()


def test_code_is_no_choice_here(ready, researcher):
    make_method("code", options_schema={})
    assert 'value="code"' not in researcher.get("/experiments/new/?method=code").content.decode()


def test_another_method_brings_its_own_fields_and_keeps_what_was_typed(ready, researcher):
    make_method("logconf", options_schema={"properties": {"alpha": {"type": "number", "default": 0.75}}})
    response = researcher.get("/experiments/new/?method=logconf&title=Kept&seeds=7", headers=HTMX)
    page = response.content.decode()
    assert "<html" not in page
    assert 'name="option_alpha"' in page and 'name="option_weight"' not in page
    assert 'value="Kept"' in page and 'value="7"' in page
    assert response["HX-Replace-Url"] == "/experiments/new/?method=logconf"


def test_varying_an_experiment_starts_from_its_values(ready, researcher):
    old = make_experiment(method=ready, options={"l2": 0.125, "weight": 0.75}, title="Old", seeds=9)
    page = researcher.get(f"/experiments/new/?copy={old.pk}").content.decode()
    for value in ("0.125", "0.75", "Old", "9"):
        assert f'value="{value}"' in page


@pytest.mark.parametrize("copy", ["999999", "x", "-1", "99999999999999999999"])
def test_varying_what_is_absent_starts_from_the_defaults(ready, researcher, copy):
    assert researcher.get(f"/experiments/new/?copy={copy}").status_code == 200


def test_without_methods_the_page_says_what_to_do(roles, researcher):
    page = researcher.get("/experiments/new/").content.decode()
    assert "No worker has announced its methods yet" in page


def test_viewers_may_not_submit(ready, viewer):
    assert viewer.get("/experiments/new/").status_code == 403
    assert viewer.post("/experiments/new/", GIVEN).status_code == 403
    assert not Experiment.objects.exists()


def test_agents_may_not_submit_by_page(ready, agent):
    assert agent.post("/experiments/new/", GIVEN).status_code == 403
    assert not Experiment.objects.exists()
