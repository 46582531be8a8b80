"""Pages of campaigns and agents in a real Chromium: they stand, they move, and their buttons answer in place."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.lifecycle import AgentState
from agents.models import Agent, Latch
from agents.services.campaigns import AgentPlan
from agents.services.states import move_agent
from tests.agents.conftest import make_campaign
from tests.factories import make_benchmark, make_experiment, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def campaign(roles):
    """Nine agents in every state, two with scores."""
    owner = make_user("admin", name="olga")
    benchmark = make_benchmark("geography", title="Geography")
    names = ["prior-elicitation", "label-confidence", "noisy-channel", "critics", "a-name-that-goes-on-" + "x" * 50]
    plans = [AgentPlan(researcher="search", direction="critics", name=name) for name in names]
    made = make_campaign(
        agents=plans, benchmark=benchmark, owner=owner, budgets={"money": 20_000_000, "gpu_seconds": 7200},
        brief="How far does it get?",
    )  # fmt: skip
    agents = list(made.agents.order_by("id"))
    for index, agent in enumerate(agents[:2]):
        make_experiment(user=agent.user, benchmark=benchmark, state="scored", dev=0.4 + index / 5, campaign=made.pk)
    running = make_experiment(user=agents[2].user, benchmark=benchmark, state="running", campaign=made.pk)
    Agent.objects.filter(pk=agents[2].pk).update(state="waiting", waits_for=[running.pk])
    later = timezone.now() + timedelta(minutes=30)
    Agent.objects.filter(pk=agents[3].pk).update(
        state="waiting", wake_at=later, error="overloaded_error (529): " + "try again " * 30
    )
    Latch.objects.create(agent=agents[4], kind="reviewer", reason="odd " + "y" * 120)
    Agent.objects.filter(pk=agents[4].pk).update(state="paused")
    return made


def pages(campaign) -> list[str]:
    agents = campaign.agents.order_by("id").values_list("pk", flat=True)
    return ["/", "/campaigns/", f"/campaigns/{campaign.pk}/", "/campaigns/new/", *(f"/agents/{key}/" for key in agents)]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)], ids=["desk-light", "phone-dark"])
def test_every_page_stands_without_a_complaint_and_without_sideways_scrolling(surf, campaign, width, dark):
    surfer = surf(campaign.created_by, width=width, dark=dark)
    wide = {}
    for address in pages(campaign):
        page = surfer.open(address)
        assert set(surfer.draw_figures()) <= {"yes", "empty"}, address
        if surfer.overflow() > 0:
            wide[address] = surfer.overflow()
        assert page.locator("h1").count() == 1, address
    assert wide == {}


def test_clocks_run_and_news_change_cards_without_moving_the_page(surf, campaign):
    surfer = surf(campaign.created_by)
    page = surfer.open("/")
    surfer.wait_live()
    agent = campaign.agents.order_by("id").first()
    clock = page.locator(f"#agent-{agent.pk} .doing time")
    before = clock.inner_text()
    page.wait_for_function(
        "([id, text]) => document.querySelector(`#${id} .doing time`).innerText !== text",
        arg=[f"agent-{agent.pk}", before],
    )
    page.evaluate("() => { window.stays = true; scrollTo(0, 700); }")
    top = page.locator(f"#agent-{agent.pk}").bounding_box()["y"]
    from django.db import transaction

    with transaction.atomic():
        move_agent(agent, AgentState.THINKING, doing="observing")
    page.wait_for_function(f"() => document.querySelector('#agent-{agent.pk}').innerText.includes('Thinking')")
    assert abs(page.locator(f"#agent-{agent.pk}").bounding_box()["y"] - top) < 2
    assert page.evaluate("window.stays")


def test_freeze_is_in_reach_by_keyboard_and_answers_in_place(surf, campaign):
    surfer = surf(campaign.created_by)
    page = surfer.open("/")
    surfer.wait_live()
    page.evaluate("() => { window.stays = true; scrollTo(0, document.body.scrollHeight); }")
    freeze = page.locator("summary", has_text="Freeze")
    assert freeze.is_visible()
    assert 0 <= freeze.bounding_box()["y"] < 900
    freeze.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("numbers look odd")
    page.keyboard.press("Enter")
    page.get_by_text("The campaign is frozen.").wait_for()
    page.locator("summary", has_text="Thaw").wait_for()
    page.wait_for_function("() => document.querySelector('#campaign-live').innerText.includes('5 of 5 held')")
    assert page.evaluate("window.stays")
