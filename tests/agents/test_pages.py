"""tests agents/views: who sees campaigns and agents, and what their buttons do."""

import pytest

from agents.loop import run_step
from agents.models import Campaign, Latch
from tests.agents.conftest import make_campaign, the_agent, thought
from tests.factories import make_benchmark, make_user
from tests.pages.conftest import _plain_static_files  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviewer(roles, client):
    client.force_login(make_user("reviewer"))
    return client


def test_an_empty_list_says_how_to_begin(reviewer):
    assert "campaign start" in reviewer.get("/campaigns/").content.decode()


def test_list_campaign_and_agent_show_what_is_there(reviewer, script):
    campaign = make_campaign(budgets={"gpu_seconds": 50, "money": 2_000_000})
    script += [thought("I look around first", ("leaderboard", {"benchmark": "x"}))]
    run_step(agent_id=the_agent(campaign).pk, worker="w")
    assert "Test" in reviewer.get("/campaigns/").content.decode()
    page = reviewer.get(f"/campaigns/{campaign.pk}/").content.decode()
    assert f'data-live-url="/ws/campaigns/{campaign.pk}/"' in page
    assert "plain search, no language model" in page
    assert "of $2.00" in page
    agent = reviewer.get(f"/agents/{the_agent(campaign).pk}/").content.decode()
    assert "I look around first" in agent
    assert "leaderboard" in agent


def test_the_controls_do_what_they_say_and_need_a_reason(reviewer):
    campaign = make_campaign()
    agent = the_agent(campaign)
    reviewer.post(f"/agents/{agent.pk}/pause/", {"reason": ""})
    assert not Latch.objects.exists()
    reviewer.post(f"/agents/{agent.pk}/pause/", {"reason": "look", "now": "1"})
    assert Latch.objects.get().now
    reviewer.post(f"/agents/{agent.pk}/resume/", {"reason": "fine", "latch": "reviewer"})
    assert not Latch.objects.filter(released_at=None).exists()
    reviewer.post(f"/campaigns/{campaign.pk}/freeze/", {"reason": "odd"})
    assert Campaign.objects.get().state == "frozen"
    reviewer.post(f"/campaigns/{campaign.pk}/thaw/", {})
    reviewer.post(f"/agents/{agent.pk}/message/", {"message": "hello there"})
    assert "hello there" in reviewer.get(f"/agents/{agent.pk}/").content.decode()
    reviewer.post(f"/campaigns/{campaign.pk}/stop/", {"reason": "done"})
    assert Campaign.objects.get().state == "stopped"
    assert the_agent(campaign).state == "stopped"


def test_what_an_agent_said_is_text_and_never_markup(reviewer, script):
    campaign = make_campaign()
    script += [thought("<script>alert(1)</script>", ("leaderboard", {"benchmark": "<img src=x onerror=alert(1)>"}))]
    run_step(agent_id=the_agent(campaign).pk, worker="w")
    page = reviewer.get(f"/agents/{the_agent(campaign).pk}/").content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize(("role", "code"), [("viewer", 403), ("agent", 403), ("researcher", 200)])
def test_who_may_make_a_campaign(roles, client, role, code):
    client.force_login(make_user(role))
    assert client.get("/campaigns/new/").status_code == code


def test_viewers_watch_and_touch_nothing(roles, client):
    campaign = make_campaign()
    client.force_login(make_user("viewer"))
    assert client.get(f"/campaigns/{campaign.pk}/").status_code == 200
    assert "Freeze" not in client.get(f"/campaigns/{campaign.pk}/").content.decode()
    assert client.post(f"/campaigns/{campaign.pk}/freeze/", {"reason": "x"}).status_code == 403
    assert client.post(f"/agents/{the_agent(campaign).pk}/pause/", {"reason": "x"}).status_code == 403
    assert client.post(f"/agents/{the_agent(campaign).pk}/message/", {"message": "x"}).status_code == 403


def test_absent_rows_are_404(reviewer):
    for path in ("/campaigns/999/", "/agents/999/"):
        assert reviewer.get(path).status_code == 404


FORM = {"name": "Mine", "benchmarks": ["geo"], "researcher": "search", "directions": ["critics", "simplicity"]}


def test_the_form_makes_and_starts_one_agent_for_each_direction(reviewer):
    make_benchmark("geo")
    answer = reviewer.post("/campaigns/new/", {**FORM, "gpu_seconds": 100})
    made = Campaign.objects.get()
    assert answer.headers["Location"] == f"/campaigns/{made.pk}/"
    assert made.state == "running"
    assert set(made.agents.values_list("direction", flat=True)) == {"critics", "simplicity"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"directions": []}, "Choose at least one direction"),
        ({"own_direction": "mine"}, "Say what your direction is about"),
        ({"researcher": "claude", "model": "claude-opus-5-5"}, "how much it may cost"),
        ({"researcher": "claude", "model": "claude-unheard-of", "dollars": "5"}, "no row for the model"),
        ({"deadline": "2001-01-01T00:00"}, "deadline has passed"),
    ],
)
def test_the_form_says_what_is_wrong_beside_the_field(reviewer, settings, change, words):
    settings.ANTHROPIC_API_KEY = "sk-test"
    make_benchmark("geo")
    page = reviewer.post("/campaigns/new/", {**FORM, **change})
    assert page.status_code == 200
    assert words in page.content.decode()
    assert not Campaign.objects.exists()


def test_pages_ask_no_query_per_agent(reviewer, django_assert_max_num_queries):
    from agents.services.campaigns import AgentPlan

    many = [AgentPlan(researcher="search", direction="critics", name=f"a{index}") for index in range(30)]
    campaign = make_campaign(agents=many)
    with django_assert_max_num_queries(40):
        reviewer.get(f"/campaigns/{campaign.pk}/")
