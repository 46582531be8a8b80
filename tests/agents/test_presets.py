"""Policies by name: what each asks about, upon which rules, and that page, API and command mean the same."""

import json

import pytest
from django.core.management import CommandError, call_command

from agents.models import Campaign, Policy
from agents.policy import DEFAULT_RULES, CallFacts, checked_rules, rule_on
from agents.presets import PRESETS, preset_rules
from agents.rule_texts import rule_text
from agents.services.policies import current_policy, ensure_default, set_policy
from experiments.errors import InvalidInput
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_benchmark, make_user
from tests.pages.conftest import _plain_static_files, logged_in  # noqa: F401 - a fixture

COMMENT = CallFacts("comment", {}, {}, first_code=False)
CHEAP = CallFacts("submit_experiment", {}, {"gpu_seconds": 5}, first_code=False)
DEAR = CallFacts("submit_experiment", {}, {"gpu_seconds": 600}, first_code=False)
CODE = CallFacts("submit_experiment", {}, {"gpu_seconds": 5}, first_code=True)


def effects(rules, *calls) -> list[str]:
    return [str(rule_on(checked_rules(rules), call).effect) for call in calls]


@pytest.mark.parametrize(
    ("name", "asked"),
    [("default", []), ("first-code", [CODE]), ("costly", [DEAR]), ("every-experiment", [CHEAP, DEAR, CODE])],
)
def test_each_preset_asks_about_what_its_name_says(name, asked):
    rules = preset_rules(name, DEFAULT_RULES)
    for call in (COMMENT, CHEAP, DEAR, CODE):
        assert effects(rules, call) == ["ask" if call in asked else "allow"]


def test_the_amount_of_costly_can_be_chosen():
    assert effects(preset_rules("costly", DEFAULT_RULES, ask_above=4), CHEAP) == ["ask"]
    assert effects(preset_rules("costly", DEFAULT_RULES, ask_above=600), DEAR) == ["allow"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_never_lets_run_what_the_labs_rules_would_not(name):
    lab = [
        {"effect": "allow", "tool": "submit_*", "cost_above": {"gpu_seconds": 500}},
        {"effect": "deny", "tool": "submit_experiment", "first_code": True},
        {"effect": "ask", "tool": "comment"},
        {"effect": "allow", "tool": "submit_experiment"},
        {"effect": "deny"},
    ]
    for call in (COMMENT, CHEAP, DEAR, CODE, CallFacts("shell", {}, {}, first_code=False)):
        (before,), (after,) = effects(lab, call), effects(preset_rules(name, lab), call)
        assert before == after or (before, after) == ("allow", "ask"), call


def test_a_rule_in_words():
    rules = preset_rules("costly", [{"effect": "allow"}]) + preset_rules("first-code", [{"effect": "allow"}])
    assert [rule_text(rule) for rule in rules] == [
        "ask about every call, if it may cost more than 60 s (GPU seconds)",
        "allow every call",
        "ask about submit_experiment, if it is the agent's first code of its own",
        "allow every call",
    ]
    assert (
        rule_text({"effect": "deny", "tool": "sh*", "arguments": {"command": "rm*"}}) == "deny sh*, if command is rm*"
    )


@pytest.mark.django_db
def test_a_preset_builds_upon_the_labs_rules_as_they_are_and_the_labs_upon_the_first():
    admin, campaign = make_user("admin"), make_campaign()
    set_policy(
        user=admin, campaign_id=None, rules=[{"effect": "deny", "tool": "shell"}, {"effect": "allow"}], reason="x"
    )
    made = set_policy(user=admin, campaign_id=campaign.pk, preset="every-experiment", reason="look")
    assert [rule["effect"] for rule in made.rules] == ["deny", "ask", "allow"]
    again = set_policy(user=admin, campaign_id=campaign.pk, preset="default", reason="enough")
    assert [rule["effect"] for rule in again.rules] == ["deny", "allow"]
    of_lab = set_policy(user=admin, campaign_id=None, preset="first-code", reason="everywhere")
    assert [rule["effect"] for rule in of_lab.rules] == ["ask", "allow"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({}, "#/preset"),
        ({"preset": "costly", "rules": [{"effect": "allow"}]}, "#/preset"),
        ({"preset": "lenient"}, "#/preset"),
        ({"preset": "first-code", "ask_above": 3}, "#/ask_above"),
        ({"preset": "costly", "ask_above": -1}, "#/ask_above"),
    ],
)
def test_what_is_no_choice_is_refused_with_its_place(given, pointer):
    campaign = make_campaign()
    with pytest.raises(InvalidInput) as caught:
        set_policy(user=make_user("admin"), campaign_id=campaign.pk, reason="x", **given)
    assert caught.value.pointer == pointer


FORM = {"name": "Mine", "benchmarks": ["geo"], "researcher": "search", "directions": ["critics"]}


@pytest.mark.django_db
def test_the_page_of_a_new_campaign_offers_them():
    make_benchmark("geo")
    client = logged_in(make_user("reviewer"))
    page = client.get("/campaigns/new/").content.decode()
    assert all(f'<option value="{name}"' in page for name in PRESETS)
    client.post("/campaigns/new/", FORM)
    assert current_policy(Campaign.objects.latest("pk").pk).campaign_id is None  # follows the lab's
    client.post("/campaigns/new/", {**FORM, "preset": "costly", "ask_above": "30"})
    policy = Policy.objects.get(campaign=Campaign.objects.latest("pk"))
    assert policy.rules[0]["cost_above"] == {"gpu_seconds": 30} and "costly" in policy.reason
    refused = client.post("/campaigns/new/", {**FORM, "preset": "first-code", "ask_above": "30"}).content.decode()
    assert "only the preset" in refused.split('id="new_ask_above_error"')[1].split("</span>")[0]


@pytest.mark.django_db
def test_a_campaigns_page_says_the_rules_in_force_and_a_reviewer_changes_them_in_place():
    campaign, rita = make_campaign(), make_user("reviewer", "rita")
    client, viewer = logged_in(rita), logged_in(make_user("viewer"))
    panel = client.get(f"/campaigns/{campaign.pk}/").content.decode().split('id="policy"')[1].split("</section>")[0]
    assert "The lab’s rules" in panel and "Allow every call" in panel
    assert f'action="/campaigns/{campaign.pk}/policy/"' in panel
    assert "/policy/" not in viewer.get(f"/campaigns/{campaign.pk}/").content.decode()
    ask = {"headers": {"HX-Request": "true"}}
    address = f"/campaigns/{campaign.pk}/policy/"
    said = client.post(address, {"preset": "every-experiment", "reason": "let me see"}, **ask).content.decode()
    assert "Version 1 is in force" in said and "Ask about submit_experiment" in said and "by rita" in said
    assert "notice bad" in client.post(address, {"preset": "every-experiment", "reason": ""}, **ask).content.decode()
    assert "notice bad" in client.post(address, {"preset": "none", "reason": "x"}, **ask).content.decode()
    assert client.post(address, {"preset": "costly", "reason": "x"}).headers["Location"] == f"/campaigns/{campaign.pk}/"
    assert Policy.objects.filter(campaign=campaign).count() == 2
    assert viewer.post(address, {"preset": "default", "reason": "x"}).status_code == 403
    assert client.post("/campaigns/999/policy/", {"preset": "default", "reason": "x"}).status_code == 404


@pytest.mark.django_db
def test_a_change_by_preset_keeps_how_long_approvals_wait():
    campaign = make_campaign(policy={"rules": DEFAULT_RULES, "hold_flags": True, "approval_seconds": 600})
    client = logged_in(make_user("reviewer"))
    client.post(f"/campaigns/{campaign.pk}/policy/", {"preset": "first-code", "reason": "x"})
    now = current_policy(campaign.pk)
    assert (now.version, now.hold_flags, now.approval_seconds) == (2, True, 600)


@pytest.mark.django_db
def test_the_api_takes_a_name_in_place_of_rules():
    make_benchmark("geo")
    client = logged_in(make_user("admin"))
    asked = {"name": "A", "benchmarks": ["geo"], "agents": [{"researcher": "search", "direction": "critics"}]}
    answer = client.post("/api/v1/campaigns/", {**asked, "policy": {"preset": "first-code"}}, "application/json")
    address = f"/api/v1/campaigns/{answer.json()['id']}/policy/"
    assert [rule["effect"] for rule in client.get(address).json()["rules"]] == ["ask", "allow"]
    changed = client.post(address, {"preset": "costly", "ask_above": 9, "reason": "dear"}, "application/json").json()
    assert changed["version"] == 2 and changed["rules"][0]["cost_above"] == {"gpu_seconds": 9}
    for body in ({"preset": "lenient"}, {}, {"preset": "costly", "rules": [{"effect": "allow"}]}):
        refused = client.post(address, {**body, "reason": "x"}, "application/json")
        assert refused.status_code == 400 and refused.json()["errors"][0]["pointer"] == "#/preset"


@pytest.mark.django_db
def test_the_command_starts_with_one_shows_and_sets_it(capsys):
    make_benchmark("geo")
    owner = make_user("admin", "owner")
    call_command("campaign", "start", benchmark=["geo"], agents=1, policy="costly", ask_above=7)
    made = Campaign.objects.get()
    assert current_policy(made.pk).rules[0]["cost_above"] == {"gpu_seconds": 7}
    capsys.readouterr()
    call_command("campaign", "policy", str(made.pk))
    assert "1. ask about every call, if it may cost more than 7 s (GPU seconds)" in capsys.readouterr().out
    call_command("campaign", "policy", str(made.pk), "first-code", "--reason", "look", "--json")
    assert json.loads(capsys.readouterr().out)["version"] == 2
    assert current_policy(made.pk).made_by == owner
    with pytest.raises(CommandError, match="--reason"):
        call_command("campaign", "policy", str(made.pk), "default")
    with pytest.raises(CommandError, match="only the preset"):
        call_command("campaign", "start", benchmark=["geo"], agents=1, ask_above=7)


@pytest.mark.django_db
def test_an_agent_is_asked_about_its_first_code_alone():
    ensure_default()
    agent = the_agent(make_campaign(policy={"preset": "first-code"}))
    assert effects(current_policy(agent.campaign_id).rules, CODE, CHEAP) == ["ask", "allow"]
