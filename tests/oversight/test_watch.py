"""Oversight at a glance: on the dashboard, of the chosen campaign or of the lab, and on a campaign's page."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent, Latch
from agents.services.campaigns import AgentPlan
from experiments.models import LeakMeter
from oversight.selectors.watch import watch
from oversight.services.decisions import decide_flag
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_benchmark, make_experiment, make_user
from tests.oversight.conftest import raised
from tests.oversight.test_pages import asked
from tests.pages.conftest import _plain_static_files, logged_in  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


def experiment_of(agent, **fields):
    return make_experiment(user=agent.user, state="scored", campaign=agent.campaign_id, **fields)


def panel(client, address: str) -> str:
    answer = client.get(address, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


def asks(client, address: str) -> int:
    """How many questions the fragment asks the database."""
    with CaptureQueriesContext(connection) as caught:
        panel(client, address)
    return len(caught)


def test_what_waits_is_told_of_the_campaign_and_what_waits_elsewhere_is_counted():
    reviewer = make_user("reviewer", "rita")
    agent = the_agent(make_campaign())
    flag, hold = raised(experiment_of(agent)), raised(experiment_of(agent), level="hold")
    raised(experiment_of(agent), level="info", said="only shown")
    call = asked()
    agent.refresh_from_db()
    here = watch(reviewer, agent.campaign)
    assert (here.flags, here.holds, list(here.gravest), here.calls, here.elsewhere) == (2, 1, [hold, flag], 0, 1)
    there = watch(reviewer, call.agent.campaign)
    assert (there.flags, there.calls, there.oldest_call, there.elsewhere) == (0, 1, call, 2)
    lab = watch(reviewer)
    assert (lab.flags, lab.calls, lab.elsewhere) == (2, 1, 0)
    text = panel(logged_in(reviewer), f"/?part=watch&campaign={call.agent.campaign_id}")
    assert "data-waits" in text and f'href="/inbox/?item=approval:{call.pk}"' in text
    assert "2 more wait outside of this campaign" in text


def test_links_lead_to_where_each_is_dealt_with_and_only_reviewers_to_the_inbox():
    reviewer, viewer = logged_in(make_user("reviewer")), logged_in(make_user("viewer"))
    agent = the_agent(make_campaign())
    flag, other = raised(experiment_of(agent)), raised(experiment_of(agent), said="again")
    decide_flag(user=make_user("reviewer", "sam"), flag_id=other.pk, verdict="disqualified", reason="copied labels")
    Latch.objects.create(agent=agent, kind="reviewer", reason="odd")
    LeakMeter.objects.create(benchmark=agent.campaign.benchmarks.get(), queries=12, updates=3, bits=30.1)
    for client, link in ((reviewer, f"/inbox/?item=flag:{flag.pk}"), (viewer, f"/flags/{flag.pk}/")):
        text = panel(client, f"/campaigns/{agent.campaign_id}/oversight/")
        assert f'href="{link}"' in text
        assert f'href="/flags/{other.pk}/"' in text and "Gaming: disqualified" in text and "sam" in text
        assert f'href="/agents/{agent.pk}/"' in text and "Reviewer" in text
        assert "30.1 bits" in text and "in 12 uploads" in text and "PGR by" in text
    assert 'href="/inbox/?' not in panel(viewer, f"/campaigns/{agent.campaign_id}/oversight/")
    assert (
        f'hx-get="/campaigns/{agent.campaign_id}/oversight/"'
        in viewer.get(f"/campaigns/{agent.campaign_id}/").content.decode()
    )
    assert viewer.get("/campaigns/999/oversight/").status_code == 404


def test_held_are_the_paused_the_latched_and_those_that_need_a_person_until_they_end():
    plans = [AgentPlan(researcher="search", direction="critics", name=each) for each in "abcde"]
    paused, latched, failed, works, ended = make_campaign(agents=plans).agents.order_by("id")
    for agent, state in ((paused, "paused"), (failed, "failed"), (works, "thinking"), (ended, "stopped")):
        Agent.objects.filter(pk=agent.pk).update(state=state)
    for agent in (latched, ended):
        Latch.objects.create(agent=agent, kind="budget", reason="spent")
    Latch.objects.create(agent=works, kind="reviewer", reason="over", released_at=timezone.now())
    found = watch(make_user("viewer"), paused.campaign)
    assert found.held_count == 3
    assert {each.name for each in found.held} == {"a", "b", "c"}


def test_an_empty_lab_says_what_would_be_there(roles):
    text = panel(logged_in(make_user("viewer")), "/?part=watch")
    assert "nothing waits" in text and "No agent has asked" in text and "Nobody is paused" in text
    assert "Nothing was decided yet" in text and "No uploaded predictions" in text


def test_it_asks_no_more_when_there_is_more():
    client = logged_in(make_user("reviewer"))

    def fill(campaigns: int) -> None:
        for _ in range(campaigns):
            agent = the_agent(make_campaign(benchmark=make_benchmark(f"b-{Agent.objects.count()}")))
            LeakMeter.objects.create(benchmark=agent.campaign.benchmarks.get(), queries=1, updates=1, bits=7)
            for level in ("flag", "hold", "flag"):
                flag = raised(experiment_of(agent), level=level, said=f"{agent.pk} {level}")
            decide_flag(user=make_user("reviewer"), flag_id=flag.pk, verdict="clean", reason="noise")
            asked()

    fill(1)
    few = asks(client, "/?part=watch")
    fill(6)
    assert asks(client, "/?part=watch") <= few <= 26
