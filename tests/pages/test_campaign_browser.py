"""Pages of campaigns and agents in a real Chromium: they stand, they move, and their buttons answer in place."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from agents import live
from agents.lifecycle import AgentState
from agents.models import Agent, Latch, Notebook, Step
from agents.services.campaigns import AgentPlan
from agents.services.control import confirm
from agents.services.states import move_agent
from experiments.models import Experiment
from experiments.snapshots.models import Snapshot
from experiments.snapshots.services import create_snapshot
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
        agents=plans, benchmark=benchmark, owner=owner, brief="How far does it get?",
        budgets={"money": 20_000_000_000, "gpu_seconds": 720_000, "tokens": 10**10},
    )  # fmt: skip
    for kind, held in {"money": 1_234_567_890, "gpu_seconds": 71_000, "tokens": 123_456_789}.items():
        made.budgets.filter(kind=kind).update(reserved=held)
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
    Notebook.objects.create(agent=agents[0], version=1, body="# Plan\n" + "look " * 300)
    first = create_snapshot(
        user=agents[0].user, files={"method.py": "def fit(context):\n    return " + "1 + " * 200 + "1\n"}
    )
    create_snapshot(user=agents[1].user, files={"method.py": "x = 1\n"}, parents=[first.pk])
    return made


def pages(campaign) -> list[str]:
    agents = campaign.agents.order_by("id").values_list("pk", flat=True)
    ids = list(Snapshot.objects.order_by("id").values_list("pk", flat=True))
    code = [f"/snapshots/{ids[0]}/", f"/snapshots/{ids[0]}/diff/{ids[1]}/", f"/snapshots/{ids[0]}/run/"]
    code += ["/snapshots/", f"/snapshots/{ids[0]}/files/method.py"]
    books = [f"/agents/{agents[0]}/notebook/1/"]
    return [
        *code,
        *books,
        "/",
        "/campaigns/",
        f"/campaigns/{campaign.pk}/",
        "/campaigns/new/",
        *(f"/agents/{key}/" for key in agents),
    ]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)], ids=["desk-light", "phone-dark"])
def test_every_page_stands_without_a_complaint_and_without_sideways_scrolling(surf, campaign, width, dark):
    surfer = surf(campaign.created_by, width=width, dark=dark)
    wide = {}
    for address in pages(campaign):
        page = surfer.open(address)
        assert set(surfer.draw_figures()) <= {"yes", "empty"}, address
        if surfer.overflow() > 0 or surfer.spilling():
            wide[address] = surfer.overflow(), surfer.spilling()
        assert page.locator("h1").count() == 1, address
    assert wide == {}


def test_a_legend_of_many_leaves_a_phone_room_for_the_figure(surf, campaign):
    for agent in campaign.agents.order_by("id")[2:]:
        make_experiment(
            user=agent.user, benchmark=campaign.benchmarks.get(), state="scored", dev=0.3, campaign=campaign.pk
        )
    for hours, row in enumerate(Experiment.objects.order_by("id")):  # moments apart, the axis has longer words
        Experiment.objects.filter(pk=row.pk).update(finished_at=timezone.now() - timedelta(hours=hours))
    surfer = surf(campaign.created_by, width=360)
    page = surfer.open(f"/campaigns/{campaign.pk}/")
    assert surfer.draw_figures() == ["yes"]
    assert page.locator(".legend .traces").count() == 5
    assert page.locator(".chart .nsewdrag").bounding_box()["height"] > 150
    assert surfer.overflow() <= 0


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
    with transaction.atomic():
        move_agent(agent, AgentState.THINKING, doing="observing")
    page.wait_for_function(f"() => document.querySelector('#agent-{agent.pk}').innerText.includes('Thinking')")
    assert abs(page.locator(f"#agent-{agent.pk}").bounding_box()["y"] - top) < 2
    assert page.evaluate("window.stays")


def test_what_is_typed_on_a_card_takes_one_line_however_long_it_is(surf, campaign):
    agent = campaign.agents.select_related("user", "campaign").order_by("id").first()
    surfer = surf(campaign.created_by)
    page = surfer.open(f"/campaigns/{campaign.pk}/")
    typed = page.locator(f"#agent-{agent.pk} [data-typing]")
    before = typed.bounding_box()["height"]
    with live.Typing(agent, Step(number=1)) as typing:
        for _ in range(500):  # the second socket says nothing when it is open
            typing.say("a sentence that goes on and on " * 10)
            page.wait_for_timeout(120)
            if "goes on" in typed.inner_text():
                break
        assert "goes on" in typed.inner_text()
    assert typed.bounding_box()["height"] == before


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


def test_text_is_typed_live_and_a_pause_is_confirmed_without_a_reload(surf, campaign):
    agent = campaign.agents.select_related("user", "campaign").order_by("id").first()
    step = Step.objects.create(agent=agent, number=1, state="thinking")
    Agent.objects.filter(pk=agent.pk).update(state="thinking", lease_owner="w")
    agent.refresh_from_db()
    surfer = surf(campaign.created_by)
    page = surfer.open(f"/agents/{agent.pk}/")
    surfer.wait_live()
    page.evaluate("() => { window.stays = true; }")
    typed = page.locator("#agent-live [data-typing]")
    with live.Typing(agent, step) as typing:
        for _ in range(500):  # the second socket says nothing when it is open
            typing.say("first ")
            page.wait_for_timeout(120)
            if "first" in typed.inner_text():
                break
        before = typed.inner_text()
        typing.say("and then more")
        page.wait_for_function("() => document.querySelector('[data-typing]').innerText.includes('and then more')")
        assert typed.inner_text().startswith(before.rstrip())

    page.locator("summary", has_text="Pause now").click()
    page.get_by_label("Reason").locator("visible=true").fill("this looks odd")
    page.keyboard.press("Enter")
    page.get_by_text(f"{agent.name} is pausing.").wait_for()
    page.locator("#latch-reviewer", has_text="not confirmed yet").wait_for()
    assert "this looks odd" in page.locator("#latch-reviewer").inner_text()
    page.locator("#agent-live .badge", has_text="Pausing").wait_for()
    page.mouse.move(5, 890)  # nobody points at the latches any more
    with transaction.atomic():  # the loop says that nothing runs any more
        agent.refresh_from_db()
        move_agent(agent, AgentState.PAUSED)
        confirm(agent)
    page.locator("#agent-live .badge", has_text="Paused").wait_for()
    page.wait_for_function("() => !document.querySelector('#latch-reviewer').innerText.includes('not confirmed')")
    page.locator("#latch-reviewer summary", has_text="Release").click()
    page.locator("#latch-reviewer input[name=reason]").fill("it was fine")
    page.keyboard.press("Enter")
    page.get_by_text(f"{agent.name} is ready.").wait_for()
    page.mouse.move(5, 890)
    page.wait_for_function("() => !document.querySelector('#latch-reviewer')")
    assert page.evaluate("window.stays")


def test_a_form_that_is_opened_while_news_are_on_their_way_stays_open(surf, campaign):
    """Whoever opens it after the page has asked for the controls, and before the answer, goes on typing in it."""
    agent = campaign.agents.order_by("id").first()
    surfer = surf(campaign.created_by)
    page = surfer.open(f"/agents/{agent.pk}/")
    surfer.wait_live()
    held = []
    page.route(f"**/agents/{agent.pk}/?part=controls", lambda route: held.append((route, route.fetch())), times=1)
    with transaction.atomic():
        move_agent(agent, AgentState.THINKING, doing="observing")
    for _ in range(600):
        page.wait_for_timeout(50)
        if held:
            break
    page.locator("#agent-controls summary", has_text="Pause now").click()
    reason = page.locator("#agent-controls").get_by_label("Reason").locator("visible=true")
    reason.fill("this looks odd")
    page.evaluate("""() => {
        window.answered = false;
        const note = ({detail: {ctx}}) => { window.answered ||= ctx.sourceElement.id === 'agent-controls'; };
        document.addEventListener('htmx:after:request', note);
    }""")
    ((route, old),) = held
    route.fulfill(response=old)
    page.wait_for_function("() => window.answered")
    page.wait_for_timeout(300)  # until it would stand in the page
    assert reason.input_value() == "this looks odd"
    reason.press("Enter")
    page.get_by_text(f"{agent.name} is pausing.").wait_for()
