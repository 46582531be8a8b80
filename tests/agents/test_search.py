"""tests agents/researchers/search.py: a whole campaign by rows, with scores that the test hands out."""

import pytest
from django.utils import timezone

from agents.lifecycle import AgentState
from agents.loop import run_step
from agents.models import Action, Notebook, Step
from agents.researchers._space import recipe_of
from agents.services.campaigns import AgentPlan
from agents.services.steps import wake_waiting
from experiments.models import Experiment, Method
from forum.models import Finding
from oversight.models import Refusal
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_method, stored_score

pytestmark = pytest.mark.django_db


def score_of(experiment: Experiment) -> float:
    """What this world rewards: logconf near weight .8."""
    bonus = 0.4 - (experiment.options["weight"] - 0.8) ** 2 if experiment.method.name == "logconf" else 0.1
    return round(0.2 + bonus, 4)


def settle(experiment: Experiment) -> None:
    value = score_of(experiment)
    Experiment.objects.filter(pk=experiment.pk).update(
        state="scored", dev_pgr=value, dev_accuracy=0.7, dev_score=stored_score(value), finished_at=timezone.now()
    )
    wake_waiting(experiment_id=experiment.pk)


def run_until_idle(agent, most=100):
    for _ in range(most):
        run_step(agent_id=agent.pk, worker="w")
        agent.refresh_from_db()
        if agent.state == AgentState.FINISHED:
            return
        for experiment in Experiment.objects.filter(state="queued"):
            settle(experiment)
    raise AssertionError("it never stops")


@pytest.fixture
def world(roles):
    for name in ("vanilla", "logconf", "pca"):
        make_method(name)
    return make_campaign(agents=[AgentPlan(researcher="search", direction="label-confidence")])


def test_it_runs_reports_cites_and_stops(world):
    agent = the_agent(world)
    run_until_idle(agent)
    own = Experiment.objects.filter(submitter=agent.user)
    assert 10 < own.count() <= 30
    assert all(each.hypothesis and each.campaign == world.pk for each in own)
    results = Finding.objects.filter(author=agent.user, kind="result")
    assert results.count() == own.count()
    assert f"{{{{pgr exp:{own.first().pk}}}}}" in "".join(each.body for each in results)
    assert any(each.parents.exists() for each in Finding.objects.filter(kind="hypothesis"))
    assert all(each.parents.get().kind == "hypothesis" for each in results)
    assert [each.parents.get().body for each in results.order_by("pk")] == [
        each.hypothesis for each in own.order_by("pk")
    ]
    assert Notebook.objects.filter(agent=agent).exists()


def test_its_direction_comes_first_and_no_proposal_is_run_twice(world):
    agent = the_agent(world)
    run_until_idle(agent)
    own = list(Experiment.objects.filter(submitter=agent.user).order_by("pk"))
    assert own[0].method.name == "logconf"
    assert own[0].options["weight"] == 0.5
    keys = [(each.method.name, str(sorted(each.options.items()))) for each in own]
    assert len(set(keys)) == len(keys)


def test_a_default_that_the_database_writes_without_its_point_is_not_run_again(roles):
    power = {"type": "number", "default": 1.0, "minimum": 0.0, "maximum": 4.0}
    make_method("product", options_schema={"properties": {"own_power": power}, "additionalProperties": False})
    made = make_campaign(agents=[AgentPlan(researcher="search", direction="ensembling")])
    agent = the_agent(made)
    run_until_idle(agent)
    own = Experiment.objects.filter(submitter=agent.user).order_by("pk")
    assert repr(own[0].options["own_power"]) == "1"  # 1.0 by its recipe
    keys = [(each.method.name, str(sorted(each.options.items()))) for each in own]
    assert len(set(keys)) == len(keys)


def test_a_recipe_may_have_a_list_among_its_options(roles):
    layers = {"type": "array", "items": {"type": "integer"}, "default": [1, 2]}
    make_method("layers", options_schema={"properties": {"layers": layers}, "additionalProperties": False})
    agent = the_agent(make_campaign(agents=[AgentPlan(researcher="search", direction="simplicity")]))
    run_until_idle(agent)
    assert Experiment.objects.filter(submitter=agent.user).count() == 1  # nothing in it can be varied


def test_it_finds_what_this_world_rewards(world):
    agent = the_agent(world)
    run_until_idle(agent)
    best = Experiment.objects.filter(submitter=agent.user).order_by("-dev_pgr").first()
    assert best.method.name == "logconf"
    assert best.dev_pgr > 0.55


def test_the_penalty_is_never_searched(world):
    agent = the_agent(world)
    run_until_idle(agent)
    assert {each.options["l2"] for each in Experiment.objects.all()} == {"cv"}


def test_a_budget_that_is_spent_ends_it_with_a_summary(roles):
    make_method("vanilla")
    make_method("logconf")
    campaign = make_campaign(budgets={"gpu_seconds": 7}, agents=[AgentPlan(researcher="search", direction="critics")])
    agent = the_agent(campaign)
    run_until_idle(agent)
    last = Step.objects.filter(agent=agent).order_by("-number").first()
    finish = last.actions.get(tool="finish")
    assert "budget" in finish.arguments["summary"]
    refused = Action.objects.filter(step__agent=agent, tool="submit_experiment", is_error=True)
    assert "gpu" in refused.get().result
    assert not Refusal.objects.exists()  # that is how research ends: no misuse of the API


def test_options_without_a_range_keep_their_default():
    recipe = recipe_of(
        Method(
            name="m",
            options_schema={"properties": {"free": {"type": "number", "default": 3.0}, "l2": {"default": "cv"}}},
        ),
        offers=[],
    )
    assert not recipe.options
    assert recipe.defaults == {"free": 3.0, "l2": "cv"}


def test_choices_that_the_benchmark_keeps_back_are_left_out():
    prior = {"enum": ["student", "likelihood"], "default": "student", "needs": {"likelihood": ["likelihood"]}}
    method = Method(name="m", options_schema={"properties": {"prior": prior}})
    assert not recipe_of(method, offers=["hidden_states"]).options  # one choice is none
    assert recipe_of(method, offers=["likelihood"]).options["prior"].choices == ("student", "likelihood")
