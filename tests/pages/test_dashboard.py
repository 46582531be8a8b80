"""The dashboard of a lab with campaigns: which one it shows, what its cards say, what its buttons do."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Action, Agent, Approval, Campaign, Latch, Step
from agents.selectors.cards import Awaited, Called, doing
from agents.services.campaigns import AgentPlan, freeze_campaign
from agents.services.policies import ensure_default
from experiments.templatetags.lab import clock_text, waits_text
from forum.services.posting import post_finding
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_benchmark, make_experiment, make_user
from tests.pages.conftest import logged_in
from tests.pages.test_queries import queries

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def reviewer(roles):
    return logged_in(make_user("reviewer"))


def get(client, address: str = "/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def agent_in(state: str, **fields) -> Agent:
    return Agent(state=state, state_since=NOW - timedelta(seconds=12), **fields)


ENDED = Awaited("scored", NOW, NOW)
TRAINING = Awaited("running", NOW - timedelta(seconds=60), NOW - timedelta(seconds=41))
QUEUED = Awaited("queued", NOW - timedelta(seconds=20), None)


@pytest.mark.parametrize(
    ("agent", "call", "awaited", "text", "clock"),
    [
        (agent_in("thinking", doing="observing"), None, {}, "thinking", NOW - timedelta(seconds=12)),
        (agent_in("acting"), Called("leaderboard", NOW), {}, "leaderboard", NOW),
        (agent_in("pausing"), Called("wait", NOW), {}, "finishing wait", NOW - timedelta(seconds=12)),
        (agent_in("waiting", waits_for=[7]), None, {7: TRAINING}, "training #7", TRAINING.started_at),
        (agent_in("waiting", waits_for=[7, 8]), None, {7: ENDED, 8: QUEUED}, "queued #8, 1 more", QUEUED.created_at),
        (agent_in("ready"), None, {}, "ready for its next step", NOW - timedelta(seconds=12)),
        (agent_in("failed"), None, {}, "needs a person", NOW - timedelta(seconds=12)),
    ],
)
def test_a_card_says_what_an_agent_does_and_since_when(agent, call, awaited, text, clock):
    said = doing(agent, call, awaited)
    assert (said.text, said.since, said.until) == (text, clock, None)


def test_a_card_says_since_when_an_agent_waits_for_approval():
    asked = [Approval(tool="submit_experiment", requested_at=NOW - timedelta(minutes=4))]
    said = doing(agent_in("waiting", wake_at=NOW + timedelta(days=1)), None, {}, asked)
    assert (said.text, said.since, said.until) == ("waiting for approval", asked[0].requested_at, None)
    said = doing(agent_in("waiting", waits_for=[7]), None, {7: TRAINING}, asked)
    assert said.text == "training #7"  # it goes on with other work


def test_a_card_counts_down_to_the_next_try():
    later = NOW + timedelta(seconds=45)
    said = doing(agent_in("waiting", error="overloaded (529)", wake_at=later), None, {})
    assert (said.text, said.since, said.until) == ("retrying in", None, later)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0:00"), (41, "0:41"), (750.9, "12:30"), (11_100, "3:05:00"), (200_000, "2 d")]
)
def test_clocks(seconds, text):
    assert clock_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "waits 0 s"), (59.9, "waits 59 s"), (259, "waits 4 min"), (7_300, "waits 2 h"), (2e5, "waits 2 d")],
)
def test_how_long_something_waits(seconds, text):
    assert waits_text(seconds) == text


def test_calls_that_wait_are_on_the_card_and_on_the_agents_page_with_how_long(reviewer):
    agent, policy = the_agent(make_campaign()), ensure_default()
    now = timezone.now()  # not that of the import: the page counts from now
    common = {"agent": agent, "policy": policy, "tool": "submit_experiment", "arguments": {}, "digest": "0" * 64}
    common |= {"rule": 1, "expires_at": now + timedelta(days=1)}
    first = Approval.objects.create(requested_at=now - timedelta(seconds=250), **common)
    Approval.objects.create(requested_at=now, **common)
    Approval.objects.create(requested_at=now - timedelta(hours=1), **{**common, "state": "refused"})
    for address in ("/", f"/agents/{agent.pk}/"):
        asked = get(reviewer, address).split('class="small asked"')[1].split("</p>")[0]
        assert f'href="/inbox/?item=approval:{first.pk}"' in asked
        assert "waits 4 min" in asked and "1 more" in asked
    seen = get(logged_in(make_user("viewer"))).split('class="small asked"')[1].split("</p>")[0]
    assert "waits 4 min" in seen and "/inbox/" not in seen
    assert "waits 4 min" in get(reviewer, "/inbox/")


def test_without_a_campaign_the_dashboard_says_how_research_begins(roles, reviewer, settings):
    settings.ANTHROPIC_API_KEY = ""
    make_benchmark("geography", state="preparing", stage="features", progress_done=10, progress_total=40)
    page = get(reviewer)
    begin = page.split('id="begin"')[1].split("</section>")[0]
    assert "Geography: features" in begin and "10 / 40" in begin
    assert "Nine search researchers" in begin
    assert "ANTHROPIC_API_KEY=" in begin
    settings.ANTHROPIC_API_KEY, settings.AUTOSTART = "sk-test", False
    page = get(reviewer)
    assert "ANTHROPIC_API_KEY=" not in page and "A key is set" in page and "AUTOSTART is off" in page
    assert "sk-test" not in page


def test_the_newest_campaign_that_runs_is_shown_and_another_can_be_chosen(reviewer):
    first, second = make_campaign(), make_campaign()
    draft = make_campaign(start=False)
    assert f'data-live-url="/ws/campaigns/{second.pk}/"' in get(reviewer)
    assert f'data-live-url="/ws/campaigns/{first.pk}/"' in get(reviewer, f"/?campaign={first.pk}")
    assert f'data-live-url="/ws/campaigns/{second.pk}/"' in get(reviewer, "/?campaign=999")
    assert f'<option value="{draft.pk}">' in get(reviewer)


def test_a_card_shows_the_best_counted_score_with_its_interval_and_n(reviewer):
    campaign = make_campaign(budgets={"money": 5_000_000})
    agent, benchmark = the_agent(campaign), campaign.benchmarks.get()
    common = {"user": agent.user, "benchmark": benchmark, "campaign": campaign.pk, "state": "scored"}
    make_experiment(dev=0.3, **common)
    best = make_experiment(dev=0.5, **common)
    make_experiment(dev=0.9, standing="disqualified", **common)
    Step.objects.create(agent=agent, number=1, state="done", cost=1_250_000)
    page = get(reviewer)
    card = page.split(f'id="agent-{agent.pk}"')[1].split("</article>")[0]
    assert f'href="/experiments/{best.pk}/"' in card
    assert "<b>0.50</b>" in card and "[0.40, 0.60]" in card and "n 500 × 3 seeds" in card
    assert "$1.25" in card
    assert "of $5.00" in page
    chart = reviewer.get(f"/charts/pgr-over-time/?benchmark={benchmark.slug}&campaign={campaign.pk}").json()
    assert [line["name"] for line in chart["data"]] == [agent.name]  # not c1-simplicity-1
    levels = [note["text"] for note in chart["layout"]["annotations"]]
    assert any(text.startswith("vanilla 0.40") for text in levels)
    assert any(text.startswith("weak-feature control") for text in levels)


def test_the_tool_in_flight_and_what_holds_an_agent_are_on_its_card(reviewer):
    campaign = make_campaign()
    agent = the_agent(campaign)
    step = Step.objects.create(agent=agent, number=1, state="acting")
    Action.objects.create(
        step=step, index=0, call_id="a", tool="leaderboard", arguments={}, digest="0" * 64, state="running",
        started_at=timezone.now() - timedelta(seconds=75),
    )  # fmt: skip
    Agent.objects.filter(pk=agent.pk).update(state="pausing")
    Latch.objects.create(agent=agent, kind="reviewer", reason="odd scores")
    card = get(reviewer, "/").split(f'id="agent-{agent.pk}"')[1].split("</article>")[0]
    assert "finishing leaderboard" in card
    assert "odd scores" in card and "not confirmed yet" in card


def test_the_glance_has_the_same_heading_when_it_is_asked_for_anew(reviewer):
    campaign = make_campaign()
    part = reviewer.get(f"/?part=live&campaign={campaign.pk}", headers={"HX-Request": "true"}).content.decode()
    assert "Spend and agents</h2>" in part and "Spend and agents</h2>" in get(reviewer)


def test_freezing_from_the_dashboard_answers_in_place(reviewer):
    campaign = make_campaign()
    ask = {"headers": {"HX-Request": "true"}}
    refused = reviewer.post(f"/campaigns/{campaign.pk}/freeze/", {"reason": ""}, **ask).content.decode()
    assert "notice bad" in refused and "must not be empty" in refused
    answer = reviewer.post(f"/campaigns/{campaign.pk}/freeze/", {"reason": "odd"}, **ask).content.decode()
    assert answer.lstrip().startswith('<div id="campaign-controls"')
    assert "The campaign is frozen." in answer and "Thaw" in answer
    assert Campaign.objects.get().state == "frozen"
    assert "1 of 1 held" in get(reviewer)


def test_a_viewer_is_offered_no_control(roles):
    make_campaign()
    page = get(logged_in(make_user("viewer")))
    assert "Freeze" not in page and "New campaign" not in page


def test_findings_of_the_campaign_are_linked_as_text(reviewer):
    campaign = make_campaign()
    author = the_agent(campaign).user
    found = post_finding(user=author, kind="insight", title="<b>Noise has a shape</b>", body="It has.")
    page = get(reviewer)
    assert f'href="/forum/{found.pk}/"' in page and "&lt;b&gt;Noise" in page and "<b>Noise" not in page


def test_a_frozen_campaign_is_shown_when_none_runs(reviewer):
    frozen, _ = make_campaign(), make_campaign(start=False)
    freeze_campaign(user=make_user("reviewer"), campaign_id=frozen.pk, reason="x")
    assert f'data-live-url="/ws/campaigns/{frozen.pk}/"' in get(reviewer)


def test_a_hundred_agents_ask_no_more_than_one(reviewer):
    few = make_campaign()
    benchmark = few.benchmarks.get()
    many = [AgentPlan(researcher="search", direction="critics", name=f"a{index}") for index in range(100)]
    large = make_campaign(agents=many, benchmark=benchmark)
    for agent in Agent.objects.all():
        row = make_experiment(user=agent.user, benchmark=benchmark, state="scored", campaign=agent.campaign_id)
        Agent.objects.filter(pk=agent.pk).update(state="waiting", waits_for=[row.pk])
    asked = queries(reviewer, f"/?campaign={few.pk}")
    assert asked <= 43
    assert queries(reviewer, f"/?campaign={large.pk}") <= asked
