"""A call has one spelling: rules, people, digests and the run all see the same one, however it was written."""

import pytest
from pydantic import BaseModel

from agents.loop import run_step
from agents.models import Action, Approval
from agents.outside import call_tool
from agents.services.approvals import approve
from agents.tools import TOOLS, BadArguments, parse
from experiments.models import Experiment
from experiments.services.code import CODE
from experiments.snapshots.services import create_snapshot
from oversight.selectors.calls import call_parts
from tests.agents.conftest import make_campaign, the_agent, thought
from tests.agents.rest_writes import make_outsider
from tests.factories import make_method, make_user

pytestmark = pytest.mark.django_db

BASE = {"benchmark": "geography", "method": "logconf", "title": "T", "hypothesis": "H", "seeds": 1}
ALLOW = {"effect": "allow"}


def policy(effect, **patterns):
    return {"rules": [{"effect": effect, "tool": "submit_experiment", "arguments": patterns}, ALLOW]}


def call(agent, **given):
    return call_tool(agent_id=agent.pk, name="submit_experiment", given=given, scopes=["read", "write"])


@pytest.mark.parametrize(
    ("patterns", "given"),
    [
        ({"options.rounds": "10"}, {"options": {"rounds": 10}}),
        ({"options.rounds": "10"}, {"options": {"rounds": 10.0}}),
        ({"options.rounds": "3"}, {"options": {}}),  # the recipe's default
        ({"options.rounds": "3"}, {}),
        ({"seeds": "3"}, {"seeds": None}),  # the benchmark's default
        ({"workspace": "false"}, {}),
    ],
)
def test_a_rule_fits_a_call_however_it_is_spelt(patterns, given):
    agent = make_outsider(policy=policy("deny", **patterns)).agent
    answer = call(agent, **{**BASE, **given})
    assert answer.is_error
    assert "not allowed by rule 1" in answer.text
    assert not Experiment.objects.filter(title="T").exists()


def test_what_was_not_given_and_has_no_default_fits_no_pattern():
    agent = make_outsider(policy=policy("deny", snapshot="*")).agent
    assert not call(agent, **BASE).is_error


def test_a_rule_about_recipes_says_nothing_about_code():
    agent = make_outsider(policy={"rules": [*policy("allow", method="*")["rules"][:1], {"effect": "deny"}]}).agent
    make_method(CODE)
    made = create_snapshot(user=make_user(), files={"method.py": "def fit(context):\n    return 1\n"})
    assert not call(agent, **BASE).is_error
    for method in ({}, {"method": ""}):
        given = {"benchmark": "geography", "title": "T", "hypothesis": "H", "snapshot": made.pk, **method}
        assert "not allowed by rule 2" in call(agent, **given).text


@pytest.mark.parametrize(
    ("tool", "given", "field"),
    [
        ("submit_experiment", {**BASE, "method": None, "snapshot": "12"}, "snapshot"),
        ("submit_experiment", {**BASE, "seeds": "2"}, "seeds"),
        ("submit_experiment", {**BASE, "seeds": True}, "seeds"),
        ("submit_experiment", {**BASE, "method": None, "workspace": "yes"}, "workspace"),
        ("comment", {"finding": "3", "body": "x"}, "finding"),
        ("comment", {"finding": 3, "body": 7}, "body"),
        ("post_finding", {"kind": "insight", "title": "T", "body": "B", "experiments": "[1]"}, "experiments"),
        ("vote", {"finding": 3, "value": "1"}, "value"),
    ],
)
def test_a_value_of_another_json_type_is_refused_with_its_name(tool, given, field):
    with pytest.raises(BadArguments, match=rf"{field}.*: Input should be"):
        parse(TOOLS.get(tool), given)


def test_an_approved_call_is_known_again_by_its_meaning():
    agent = make_outsider(policy=policy("ask")).agent
    assert "waits for a person" in call(agent, **BASE, options={"rounds": 4}).text
    (approval,) = Approval.objects.all()
    assert approval.arguments["options"]["rounds"] == 4
    assert approval.arguments["options"]["schedule"] == "linear"  # people see what will run, defaults included
    approve(user=make_user("reviewer"), approval_id=approval.pk)
    again = call(agent, **BASE, options={"schedule": "linear", "rounds": 4.0}, parents=[], snapshot=None)
    assert not again.is_error, again.text
    approval.refresh_from_db()
    assert (approval.state, Approval.objects.count()) == ("used", 1)
    assert Experiment.objects.get(title="T").options["rounds"] == 4


def test_another_call_is_not_taken_for_the_approved_one():
    agent = make_outsider(policy=policy("ask")).agent
    call(agent, **BASE, options={"rounds": 4})
    approve(user=make_user("reviewer"), approval_id=Approval.objects.get().pk)
    assert "waits for a person" in call(agent, **BASE, options={"rounds": 5}).text
    assert not Experiment.objects.filter(title="T").exists()


def test_the_code_of_a_snapshot_is_shown_to_whoever_is_asked():
    agent = make_outsider(policy=policy("ask")).agent
    make_method(CODE)
    made = create_snapshot(user=make_user(), files={"method.py": "def fit(context):\n    return 1\n"})
    given = {"benchmark": "geography", "title": "T", "hypothesis": "H"}
    assert "snapshot: Input should be a valid integer" in call(agent, **given, snapshot=str(made.pk)).text
    assert not Approval.objects.exists()
    call(agent, **given, snapshot=made.pk)
    parts = call_parts(Approval.objects.get())
    assert [part.path for part in parts if part.kind == "code"] == ["method.py"]


def test_what_an_outside_agent_cannot_do_is_said_at_once_and_nobody_is_asked():
    agent = make_outsider(policy=policy("ask")).agent
    answer = call(agent, benchmark="geography", title="T", hypothesis="H", workspace=True)
    assert "you have no workspace in the lab" in answer.text
    assert not Approval.objects.exists()


def test_the_lab_s_own_agent_is_ruled_stored_asked_about_and_run_by_the_same_spelling(script):
    make_method("logconf")
    campaign = make_campaign(policy=policy("ask", **{"options.rounds": "3"}))
    given = {**BASE, "benchmark": campaign.benchmarks.get().slug}
    script.append(thought("I submit", ("submit_experiment", given)))
    run_step(agent_id=the_agent(campaign).pk, worker="w")
    approval, action = Approval.objects.get(), Action.objects.get()
    assert approval.arguments == action.arguments
    assert approval.arguments["options"]["rounds"] == 3
    same = {**given, "options": {"rounds": 3.0}}
    approve(user=make_user("reviewer"), approval_id=approval.pk, edited_arguments=same)
    approval.refresh_from_db()
    assert approval.edited_arguments is None  # nothing was changed
    script.append(thought("thanks", ("list_methods", {})))
    run_step(agent_id=the_agent(campaign).pk, worker="w")
    assert Experiment.objects.get().options["rounds"] == 3


def test_a_call_that_cannot_be_read_runs_nothing_and_nobody_is_asked(script):
    campaign = make_campaign(policy={"rules": [{"effect": "ask"}]})
    script.append(thought("I vote", ("vote", {"finding": "1", "value": 1}), ("no_such_tool", {})))
    run_step(agent_id=the_agent(campaign).pk, worker="w")
    bad, unknown = Action.objects.order_by("index")
    assert (bad.state, unknown.state) == ("failed", "failed")
    assert "finding: Input should be a valid integer" in bad.result
    assert "no_such_tool" in unknown.result
    assert not Approval.objects.exists()


SAMPLES: dict[type, object] = {int: 1, str: "x", bool: True}


@pytest.mark.parametrize("name", TOOLS.names())
def test_every_tool_s_spelling_is_the_same_call(name):
    tool = TOOLS.get(name)
    fields = tool.Arguments.model_fields
    assert issubclass(tool.Arguments, BaseModel) and tool.Arguments.model_config["strict"]
    given = {key: SAMPLES.get(each.annotation, 1) for key, each in fields.items() if each.is_required()}
    if name == "post_finding":
        given["kind"] = "insight"
    if name == "submit_experiment":
        given["method"] = "none-such"
    parsed = parse(tool, given)
    spelt = tool.spelt(parsed)
    assert parse(tool, spelt) == parsed
    assert tool.spelt(parse(tool, spelt)) == spelt
    left_out = set(fields) - set(spelt)
    assert all(fields[key].default is None for key in left_out)
