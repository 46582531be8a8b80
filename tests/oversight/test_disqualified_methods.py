"""A method that is disqualified is so for what its submitter submits later, and as long as the verdict stands."""

import pytest

from agents.services.control import resume_agent
from experiments.lifecycle import Standing
from experiments.models import Event, Experiment
from experiments.services.experiments import rerun_experiment, submit_experiment
from oversight.services.decisions import reopen_flag
from tests.agents.conftest import make_campaign, the_agent
from tests.agents.toolbox import use
from tests.factories import make_benchmark, make_method, make_user
from tests.oversight.conftest import coded, decided, raised

pytestmark = pytest.mark.django_db

SCHEMA = {"type": "object", "properties": {"l2": {"type": "number", "default": 1}}, "additionalProperties": False}


@pytest.fixture
def gamed():
    """What somebody submitted by a recipe."""
    make_method("logconf", options_schema=SCHEMA)
    place, user = make_benchmark(), make_user("researcher")
    return submit_experiment(user=user, benchmark=place.slug, method="logconf", options={"l2": 10}, seeds=1)


def again(experiment, **other):
    """The same, or what is said, once more."""
    said = {
        "user": experiment.submitter, "benchmark": experiment.benchmark.slug, "method": experiment.method.name,
        "options": {"l2": 10.0}, "seeds": 2,
    }  # fmt: skip
    return submit_experiment(**{**said, **other})


def judged(experiment, verdict):
    flag = raised(experiment, level="hold", said=verdict)
    decided(flag, verdict, make_user("reviewer"), make_user("reviewer"))
    return flag


def standing(experiment):
    return Experiment.objects.get(pk=experiment.pk).standing


def told(experiment):
    lines = Event.objects.filter(campaign=0, subject=f"experiment:{experiment.pk}").order_by("number")
    return [(each.kind, each.payload.get("standing", "")) for each in lines]


def test_a_later_run_of_a_disqualified_method_is_disqualified_as_it_is_submitted_and_says_why(gamed):
    flag = judged(gamed, "disqualified")
    made = again(gamed)
    assert made.standing == standing(made) == Standing.DISQUALIFIED
    assert told(made) == [("experiment.submitted", ""), ("experiment.standing", "disqualified")]
    line = Event.objects.get(campaign=0, subject=f"experiment:{made.pk}", kind="experiment.standing")
    assert line.payload == {
        "experiment": made.pk, "standing": "disqualified", "before": "counted",
        "reason": f"flag {flag.pk}: Gaming: disqualified: looked",
    }  # fmt: skip
    assert line.actor is None  # the reviewers' verdict, and nobody's act


def test_reopening_gives_later_runs_back_with_the_first_and_the_next_verdict_is_on_all(gamed):
    flag = judged(gamed, "disqualified")
    later = [again(gamed), again(gamed)]
    reopen_flag(user=make_user("reviewer"), flag_id=flag.pk, reason="the replay was wrong")
    assert [standing(each) for each in later] == ["counted", "counted"]
    third = again(gamed)
    assert (standing(gamed), standing(third)) == ("under_review", "counted")
    decided(flag, "disqualified", make_user("reviewer"), make_user("reviewer"))
    assert {standing(each) for each in (gamed, *later, third)} == {"disqualified"}
    reopen_flag(user=make_user("reviewer"), flag_id=flag.pk, reason="once more")
    decided(flag, "clean", make_user("reviewer"), make_user("reviewer"))
    assert {standing(each) for each in (gamed, *later, third, again(gamed))} == {"counted"}


def test_a_gray_recipe_is_given_back_as_gray(gamed):
    gamed.method.method_class = "policy_gray"
    gamed.method.save()
    flag = judged(gamed, "disqualified")
    later = again(gamed)
    assert standing(later) == "disqualified"
    reopen_flag(user=make_user("reviewer"), flag_id=flag.pk, reason="the replay was wrong")
    assert standing(later) == "policy_gray"


@pytest.mark.parametrize("verdict", ["clean", "policy_gray", "effect_removed", "evaluator_bug"])
def test_other_verdicts_are_on_one_result(gamed, verdict):
    judged(gamed, verdict)
    assert standing(again(gamed)) == "counted"


def test_a_hold_is_on_one_result(gamed):
    raised(gamed, level="hold")
    assert standing(again(gamed)) == "counted"


def test_what_differs_in_submitter_options_or_benchmark_is_another_matter(gamed):
    judged(gamed, "disqualified")
    others = [{"user": make_user("researcher")}, {"options": {}}, {"benchmark": make_benchmark("elsewhere").slug}]
    assert [standing(again(gamed, **other)) for other in others] == ["counted"] * 3


def test_code_that_is_disqualified_is_so_in_a_rerun_which_taints_the_first_run(roles):
    make_method("code", options_schema={**SCHEMA, "properties": {}})
    first = coded(make_user("researcher"))
    first.method_digest = rerun_experiment(user=make_user("researcher"), experiment_id=first.pk).method_digest
    first.save()
    judged(first, "disqualified")
    mine = rerun_experiment(user=first.submitter, experiment_id=first.pk)
    first.refresh_from_db()
    assert (standing(mine), mine.tainted_by_id, first.tainted_by_id) == ("disqualified", first.pk, mine.pk)
    checked = rerun_experiment(user=make_user("researcher"), experiment_id=first.pk)
    assert (standing(checked), checked.tainted_by_id) == ("counted", first.pk)
    assert told(mine)[-1] == ("experiment.standing", "disqualified")
    assert told(first)[-1][0] == "experiment.tainted"


def test_an_agent_that_is_released_and_submits_it_again_is_told():
    agent = the_agent(make_campaign())
    method = make_method("logconf", options_schema=SCHEMA)
    said = {
        "benchmark": agent.campaign.benchmarks.get().slug, "method": method.name, "title": "Soft", "hypothesis": "",
        "seeds": 1,
    }  # fmt: skip
    assert "disqualified" not in use(agent, "submit_experiment", **said).text
    judged(Experiment.objects.get(submitter=agent.user), "effect_removed")
    assert "disqualified" not in use(agent, "submit_experiment", **said).text
    judged(Experiment.objects.latest("pk"), "disqualified")
    resume_agent(user=make_user("reviewer"), agent_id=agent.pk, reason="go on otherwise", kinds=["flag"])
    assert (
        "Your method is disqualified there: its score will not count." in use(agent, "submit_experiment", **said).text
    )
