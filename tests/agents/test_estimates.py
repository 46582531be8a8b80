"""What a campaign will take: arithmetic by hand, history before assumptions, and nobody starts what he has not seen."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agents.models import Agent, Campaign, Price, Step
from agents.selectors.estimates import Asked, bounds, estimate, estimate_lines
from agents.services.campaigns import AgentPlan, start_campaign
from experiments.errors import Refused
from tests.agents.conftest import make_campaign
from tests.factories import make_benchmark, make_experiment, make_user
from tests.pages.conftest import _plain_static_files  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
MODEL = "claude-test-1"


@pytest.fixture
def price(db):
    """$1 in, $10 out, $.1 read, $1.25 written, a million tokens."""
    return Price.objects.create(
        model=MODEL, input=1_000_000, output=10_000_000, cache_read=100_000, cache_write=1_250_000
    )


@pytest.fixture
def benchmark(roles):
    return make_benchmark("geo")


def of(count: int = 2, budgets=None, **fields):
    asked = [Asked("claude", MODEL, count)]
    return estimate(**{"benchmarks": ["geo"], "agents": asked, "budgets": budgets or {"money": 10**9}, **fields})


def test_without_a_history_the_assumptions_are_priced_and_said(benchmark, price):
    found = of()
    # a step: 500 in, 600 out, 10,000 read, 1,500 written: 500 + 6,000 + 1,000 + 1,875 micro-dollars; 2 agents, 20 steps
    assert found.money.low == 2 * 20 * (500 + 6_000 + 1_000 + 1_875)
    # 3,000 + 30,000 + 8,000 + 7,500; 120 steps
    assert found.money.high == 2 * 120 * (3_000 + 30_000 + 8_000 + 7_500)
    assert found.experiments.low == 2 * 8 and found.experiments.high == 2 * 40
    assert found.gpu_seconds.low == pytest.approx(16 * 0.2 * 3)  # three seeds an experiment
    assert sum("assumed" in line for line in found.basis) == 4
    assert any("$10.00" in line and "price table" in line for line in found.basis)
    assert not found.problems and not found.limits


def test_recorded_steps_and_runs_come_before_assumptions(benchmark, price):
    plans = [AgentPlan(researcher="claude", model=MODEL, direction="critics", name=f"a{index}") for index in range(3)]
    past = make_campaign(agents=plans, benchmark=benchmark, budgets={"money": 10**9})
    start = timezone.now()
    for steps, agent in zip((10, 20, 30), past.agents.order_by("id"), strict=True):
        Agent.objects.filter(pk=agent.pk).update(state="finished", steps_done=steps)
        for number in range(1, 11):
            row = Step.objects.create(
                agent=agent, number=number, state="done", usage={"input": 100, "output": 200, "cache_read": 1_000},
                finished_at=start + timedelta(seconds=8),
            )  # fmt: skip
            Step.objects.filter(pk=row.pk).update(started_at=start)
        make_experiment(user=agent.user, benchmark=benchmark, state="scored", seeds=4, worker_seconds=8)
        make_experiment(user=agent.user, benchmark=benchmark, state="scored", seeds=4, worker_seconds=8)
    found = of(count=1)
    # quartiles of 10, 20, 30 are 15 and 25; a step costs 100 + 2,000 + 100 micro-dollars
    assert (found.money.low, found.money.high) == (15 * 2_200, 25 * 2_200)
    assert (found.experiments.low, found.experiments.high) == (2, 2)
    assert found.gpu_seconds.low == pytest.approx(2 * 2 * 3)  # two seconds a run
    assert found.seconds.low == pytest.approx(15 * 8)
    assert not any("assumed" in line for line in found.basis)
    assert any("30 recorded steps" in line for line in found.basis)


def test_limits_cut_the_ranges_and_say_so(benchmark, price):
    found = of(budgets={"money": 500_000, "gpu_seconds": 10}, deadline=timezone.now() + timedelta(minutes=1))
    assert found.money.high == 500_000 and found.gpu_seconds.high == 10 and found.seconds.high <= 60
    assert any("money budget" in line for line in found.limits) and any("deadline" in line for line in found.limits)
    assert any("never more than $0.50" in line.text for line in estimate_lines(found))


def test_what_is_in_the_way_is_named(benchmark, settings):
    settings.ANTHROPIC_API_KEY = ""
    make_benchmark("later", state="preparing")
    found = of(budgets={"tokens": 5}, benchmarks=["geo", "later"])
    said = {each.pointer: each.detail for each in found.problems}
    assert "later is not ready" in said["#/benchmarks/1"] and "money budget" in said["#/budget/money"]
    agents = [each.detail for each in found.problems if each.pointer == "#/agents"]
    assert any("no key is set" in text for text in agents) and any("no row for the model" in text for text in agents)
    assert found.money is None
    settings.CLAUDE_READY = True  # the agents' worker has one
    assert not any("no key" in each.detail for each in of().problems)
    settings.CLAUDE_READY = False
    settings.ANTHROPIC_BASE_URL = "http://gateway.example"  # may need none
    assert not any("no key" in each.detail for each in of().problems)


def test_search_costs_no_money(benchmark):
    found = estimate(benchmarks=["geo"], agents=[Asked("search", "", 9)], budgets={})
    assert found.money.high == 0 and found.tokens.high == 0 and found.experiments.high == 9 * 30
    assert not found.problems


def test_limits_of_every_agent_bound_the_campaign_together():
    assert bounds({}, [{"money": 2}, {"money": 3}]) == {"money": 5}
    assert bounds({"money": 4}, [{"money": 2}, {"money": 3}]) == {"money": 4}
    assert bounds({"tokens": 9}, [{"money": 2}, {}]) == {"tokens": 9}


def test_a_claude_campaign_does_not_start_without_a_key(benchmark, price, settings):
    plans = [AgentPlan(researcher="claude", model=MODEL, direction="critics")]
    campaign = make_campaign(agents=plans, benchmark=benchmark, budgets={"money": 1}, start=False)
    settings.ANTHROPIC_API_KEY = ""
    with pytest.raises(Refused, match="ANTHROPIC_API_KEY"):
        start_campaign(user=campaign.created_by, campaign_id=campaign.pk)
    campaign.refresh_from_db()
    assert campaign.state == "draft"
    settings.CLAUDE_READY = True
    assert start_campaign(user=campaign.created_by, campaign_id=campaign.pk).state == "running"


# The doors


FORM = {
    "name": "Mine", "benchmarks": ["geo"], "researcher": "claude", "model": MODEL,
    "directions": ["critics", "simplicity"], "dollars": "3", "brief_critics": "Find out who could object.",
}  # fmt: skip


@pytest.fixture
def person(benchmark, client):
    client.force_login(make_user("reviewer"))
    return client


def test_money_is_spent_only_after_the_estimate_was_seen(person, price):
    page = person.post("/campaigns/new/", FORM).content.decode()
    assert "Nothing has been started yet" in page and "never more than $3.00" in page
    assert not Campaign.objects.exists()
    mark = page.split('name="seen" value="')[1].split('"')[0]
    again = person.post("/campaigns/new/", {**FORM, "dollars": "300", "seen": mark}).content.decode()
    assert "never more than $300.00" in again and not Campaign.objects.exists()  # another plan, another look
    person.post("/campaigns/new/", {**FORM, "seen": mark})
    made = Campaign.objects.get()
    assert made.state == "running"
    briefs = dict(made.agents.values_list("direction", "brief"))
    assert briefs["critics"] == "Find out who could object."
    assert briefs["simplicity"].startswith("Mistakes may be complicated")  # an emptied text falls back to the ready one


def test_the_form_says_when_there_is_no_key(person, price, settings):
    settings.ANTHROPIC_API_KEY = ""
    assert "no key is set" in person.get("/campaigns/new/").content.decode()
    page = person.post("/campaigns/new/", FORM).content.decode()
    assert 'id="new_researcher_error"' in page and "No key is set" in page
    assert not Campaign.objects.exists()


def test_a_preview_shows_the_estimate_and_makes_nothing(person, price):
    answer = person.post("/campaigns/new/", {**FORM, "researcher": "search"}, headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert page.startswith('<div id="estimate">') and "no language model takes part" in page
    assert not Campaign.objects.exists()


def test_several_agents_a_direction_and_one_of_ones_own(person):
    asked = {"researcher": "search", "copies": "2", "own_direction": "mine", "own_brief": "My own idea."}
    person.post("/campaigns/new/", {**FORM, **asked})
    names = set(Campaign.objects.get().agents.values_list("name", flat=True))
    assert names == {"critics", "critics-2", "simplicity", "simplicity-2", "mine", "mine-2"}


def test_a_draft_shows_what_it_will_take_before_it_starts(person, price):
    plans = [AgentPlan(researcher="claude", model=MODEL, direction="critics")]
    campaign = make_campaign(agents=plans, budgets={"money": 2_000_000}, start=False)
    page = person.get(f"/campaigns/{campaign.pk}/").content.decode()
    assert "Before it starts" in page and "never more than $2.00" in page and "Start it" in page


BODY = {
    "benchmarks": ["geo"], "agents": [{"researcher": "claude", "model": MODEL, "direction": "critics"}],
    "budget": {"money": "1.5"},
}  # fmt: skip


def test_the_api_estimates_a_thought_and_a_draft(person, price):
    answer = person.post("/api/v1/campaigns/estimate/", BODY, content_type="application/json")
    found = answer.json()
    assert answer.status_code == 200 and found["agents"] == 1 and found["most_money"] == 1_500_000
    assert 0 < found["money"]["low"] <= found["money"]["high"] <= 1_500_000
    assert found["basis"] and found["problems"] == []
    assert not Campaign.objects.exists()
    made = person.post("/api/v1/campaigns/", {**BODY, "name": "x"}, content_type="application/json").json()
    same = person.get(f"/api/v1/campaigns/estimate/?campaign={made['id']}").json()
    assert same["money"] == found["money"]
    assert person.get("/api/v1/campaigns/estimate/?campaign=999").status_code == 404
    assert person.get("/api/v1/campaigns/estimate/").status_code == 400
    assert person.post("/api/v1/campaigns/estimate/", {}, content_type="application/json").status_code == 400


def test_the_command_asks_back_before_it_spends(benchmark, price, capsys, monkeypatch):
    make_user("admin", name="owner")
    asked = {"benchmark": ["geo"], "researcher": "claude", "model": MODEL, "dollars": 2.0, "agents": 2}
    call_command("campaign", "estimate", **asked)
    assert "never more than $2.00" in capsys.readouterr().out
    call_command("campaign", "estimate", json=True, **asked)
    assert json.loads(capsys.readouterr().out)["most_money"] == 2_000_000
    with pytest.raises(CommandError, match="--yes"):
        call_command("campaign", "start", **asked)
    assert "never more than $2.00" in capsys.readouterr().err
    assert not Campaign.objects.exists()
    call_command("campaign", "start", yes=True, **asked)
    assert Campaign.objects.get().state == "running"
