"""A pause and a write at the same moment, on connections of their own: one of them is first, and both know which."""

import time
from threading import Event

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from agents.errors import Held
from agents.lifecycle import AgentState
from agents.models import Agent, Latch
from agents.services import claims
from agents.services.campaigns import AgentPlan, freeze_campaign, thaw_campaign
from agents.services.control import pause_agent, resume_agent, stop_agent
from experiments.lifecycle import EXPERIMENT_TERMINAL
from experiments.models import Experiment
from experiments.services import experiments as services
from experiments.services.runs import claim_runs, fail_runs, release
from forum.services.posting import comment, post_finding
from tests.agents.conftest import make_campaign, the_agent
from tests.agents.rest_writes import WRITES, make_outsider
from tests.asides import Aside, waits
from tests.factories import make_experiment, make_method, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.route)
@pytest.mark.parametrize("verb", ["pause", "freeze"])
def test_a_write_that_comes_while_a_pause_is_committed_waits_for_it_and_is_held(write, verb):
    outsider, reviewer = make_outsider(), make_user("reviewer")
    latched, go_on = Event(), Event()

    def pause():
        with transaction.atomic():
            if verb == "pause":
                pause_agent(user=reviewer, agent_id=outsider.agent.pk, reason="let me look")
            else:
                freeze_campaign(user=reviewer, campaign_id=outsider.agent.campaign_id, reason="let me look")
            latched.set()
            assert go_on.wait(60)

    pauser = Aside(pause)
    assert latched.wait(60)
    writer = Aside(lambda: outsider.send(Client(raise_request_exception=False), write))
    assert waits(writer) or not writer.is_alive()
    go_on.set()
    pauser.result()
    answer = writer.result()
    assert answer.status_code == 423, answer.content
    assert not write.left().exists()


def test_a_pause_waits_for_a_submission_that_began_before_it_and_holds_its_runs(monkeypatch):
    outsider, reviewer = make_outsider(), make_user("reviewer")
    begun, go_on, draw = Event(), Event(), services.draw_seeds

    def slowly(*args):
        begun.set()
        assert go_on.wait(60)
        return draw(*args)

    monkeypatch.setattr(services, "draw_seeds", slowly)
    writer = Aside(lambda: outsider.send(Client(), WRITES[0]))
    assert begun.wait(60)
    pauser = Aside(lambda: pause_agent(user=reviewer, agent_id=outsider.agent.pk, reason="let me look"))
    assert waits(pauser)
    go_on.set()
    pauser.result()
    latch = Latch.objects.get()
    assert latch.confirmed_at is not None
    assert not Experiment.objects.filter(held=False).exists()  # at this moment, not at some later one
    assert claim_runs(worker="gpu@here") is None
    assert writer.result().status_code == 202
    assert claim_runs(worker="gpu@here") is None
    resume_agent(user=reviewer, agent_id=outsider.agent.pk, reason="fine")
    assert claim_runs(worker="gpu@here") is not None


def test_an_agent_that_is_resumed_while_its_campaign_is_frozen_stays_held():
    outsider, reviewer = make_outsider(), make_user("reviewer")
    outsider.send(Client(), WRITES[0])
    pause_agent(user=reviewer, agent_id=outsider.agent.pk, reason="let me look")
    frozen, go_on = Event(), Event()

    def freeze():
        with transaction.atomic():
            freeze_campaign(user=reviewer, campaign_id=outsider.agent.campaign_id, reason="let me look")
            frozen.set()
            assert go_on.wait(60)

    freezer = Aside(freeze)
    assert frozen.wait(60)
    resumer = Aside(lambda: resume_agent(user=reviewer, agent_id=outsider.agent.pk, reason="fine"))
    assert waits(resumer)
    go_on.set()
    freezer.result()
    resumer.result()
    assert not Latch.objects.filter(released_at=None).exists()
    assert not Experiment.objects.filter(held=False).exists()
    assert claim_runs(worker="gpu@here") is None


def test_whoever_confirms_a_pause_holds_what_is_queued_by_then(roles):
    agent = the_agent(make_campaign())
    claim = claims.claim(agent_id=agent.pk, worker="w")
    pause_agent(user=make_user("reviewer"), agent_id=agent.pk, reason="let me look")
    assert the_agent(agent.campaign).state == AgentState.PAUSING
    queued = make_experiment(user=agent.user, campaign=agent.campaign_id)
    claims.put_down(claim)
    queued.refresh_from_db()
    assert Latch.objects.get().confirmed_at is not None
    assert queued.held
    assert claim_runs(worker="gpu@here") is None


def test_a_call_of_the_lab_s_own_agent_that_a_pause_overtakes_writes_nothing(roles):
    agent = the_agent(make_campaign())
    make_method("logconf")
    claims.claim(agent_id=agent.pk, worker="w")
    pause_agent(user=make_user("reviewer"), agent_id=agent.pk, reason="let me look")
    with pytest.raises(Held):
        post_finding(user=agent.user, kind="insight", title="Late", body="Too late.")


@pytest.mark.slow
def test_pauses_freezes_stops_writes_and_workers_meet_without_a_deadlock(roles):
    make_method("logconf")
    plans = [AgentPlan(researcher="outside", direction="simplicity", name=f"racer-{n}") for n in range(3)]
    campaign = make_campaign(agents=plans)
    place, reviewer = campaign.benchmarks.get().slug, make_user("reviewer")
    agents = list(campaign.agents.select_related("user").order_by("id"))
    found = post_finding(user=make_user("researcher"), kind="insight", title="A", body="Text.")
    counts, started_late = {"written": 0, "held": 0, "paused": 0, "worked": 0}, []
    least, most = time.monotonic() + 4, time.monotonic() + 60

    def goes_on():
        return time.monotonic() < least or (min(counts.values()) < 8 and time.monotonic() < most)

    def writes(agent):
        while goes_on():
            try:
                services.submit_experiment(user=agent.user, benchmark=place, method="logconf", options={}, seeds=1)
                comment(user=agent.user, finding_id=found.pk, body="seen")
                counts["written"] += 1
            except Held:
                counts["held"] += 1
                time.sleep(0.01)

    def works():
        while goes_on():
            claim = claim_runs(worker="gpu@here")
            if claim is None:
                time.sleep(0.005)
            elif counts["worked"] % 2:
                fail_runs(claim=claim, reason="it diverged")
            else:
                release(claim=claim)
            counts["worked"] += 1

    def reviews():
        turn = 0
        while goes_on():
            agent = agents[turn % 3]
            pause_agent(user=reviewer, agent_id=agent.pk, reason="let me look")
            free = Experiment.objects.filter(submitter=agent.user, held=False).exclude(state__in=EXPERIMENT_TERMINAL)
            started_late.extend(free.values_list("pk", flat=True))
            resume_agent(user=reviewer, agent_id=agent.pk, reason="fine")
            counts["paused"] += 1
            turn += 1

    def freezes():
        while goes_on():
            freeze_campaign(user=reviewer, campaign_id=campaign.pk, reason="all of you")
            thaw_campaign(user=reviewer, campaign_id=campaign.pk)
            time.sleep(0.02)

    jobs = [*(lambda each=each: writes(each) for each in agents), works, works, reviews, freezes]
    threads = [Aside(job) for job in jobs]
    for each in threads:
        each.join(120)
        assert not each.is_alive()
    assert [each.error for each in threads if isinstance(each.error, DatabaseError)] == []
    assert [each.error for each in threads if each.error] == []
    assert started_late == []
    assert min(counts.values()) > 3, counts
    worker = Aside(works_until_stopped(campaign))
    for agent in agents:
        stop_agent(user=reviewer, agent_id=agent.pk, reason="enough")
    worker.result()
    assert not Experiment.objects.exclude(state__in=EXPERIMENT_TERMINAL).exists()
    assert set(Agent.objects.values_list("state", flat=True)) == {AgentState.STOPPED}


def works_until_stopped(campaign):
    """A worker's thread that gives back what it claims until every agent of the campaign has stopped."""

    def work():
        while campaign.agents.exclude(state=AgentState.STOPPED).exists():
            claim = claim_runs(worker="gpu@here")
            if claim is not None:
                release(claim=claim)

    return work
