"""A worker process killed with -9 in each phase of a step: taken up again, no action done twice, none lost.

Real processes against the stand-in of the Messages API; `-s` prints the matrix.
"""

import json
import re
import sys
from dataclasses import dataclass

import pytest
from django.db import connection
from django.utils import timezone

from agents.lifecycle import AgentState, StepState
from agents.models import Action, Agent, Budget, Entry, Latch, Reservation, Step
from agents.services.campaigns import AgentPlan
from agents.services.control import pause_agent, resume_agent
from agents.services.reaper import reap
from experiments.lifecycle import ExperimentState, RunState
from experiments.models import Experiment, Run
from forum.models import Finding
from tests.agents.conftest import make_campaign, make_price
from tests.agents.messages_api import MessagesAPI, Say, Tool
from tests.agents.processes import Process, agents_worker
from tests.agents.victim import POINTS
from tests.broker import flush
from tests.factories import make_experiment, make_method, make_user, stored_score
from tests.workers.celery_worker import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

MODEL = "claude-opus-5-5"
LEASE_SECONDS = "3"
WORDS = ("first", "second", "third")
NAMES = {point: f"agent-{index}" for index, point in enumerate(POINTS)}


@dataclass(frozen=True)
class Expected:
    """Of the first round: calls of the model, lost (failed) steps, states of its three actions, findings it posted."""

    calls: int = 1
    lost: int = 0
    states: str = "done done done"
    found: tuple[str, ...] = WORDS


EXPECTED = {
    "before the model call": Expected(lost=1),
    "during the stream": Expected(calls=2, lost=1),
    "after the reply is stored": Expected(),
    "between two actions": Expected(),
    "in an action, before it writes": Expected(states="interrupted done done", found=WORDS[1:]),
    "in an action, after it wrote": Expected(states="interrupted done done"),
    "after the last action": Expected(),
    "while waiting": Expected(states="done done done", found=WORDS[:1]),
    "while pausing": Expected(states="interrupted done done"),
}


def answer(request):
    """The first round posts three findings (or waits for an experiment), the second ends the agent's research."""
    name = re.search(r"You are (agent-\d+)\.", json.dumps(request["messages"][0]))[1]
    if any(message["role"] == "assistant" for message in request["messages"]):
        return Say("That was all.", (Tool("finish", {"summary": "done"}),))
    posts = [Tool("post_finding", {"kind": "insight", "title": f"{name} {w}", "body": f"The {w}."}) for w in WORDS]
    if name == NAMES["while waiting"]:
        awaited = Experiment.objects.values_list("id", flat=True).get()
        connection.close()
        posts = [posts[0], Tool("list_methods"), Tool("wait", {"experiments": [awaited]})]
    return Say("I write down what I know, one thing after the other.", tuple(posts), pause=0.02)


@pytest.fixture
def agents(roles):
    """One for each phase, by the phase; nobody has been told of them yet. One of them waits for an experiment."""
    make_method("vanilla")
    make_price(MODEL)
    plans = [AgentPlan(researcher="claude", model=MODEL, direction="simplicity", name=name) for name in NAMES.values()]
    campaign = make_campaign(agents=plans, budgets={"money": 50_000_000, "tokens": 20_000_000})
    found = {point: campaign.agents.get(name=name) for point, name in NAMES.items()}
    make_experiment(user=found["while waiting"].user, campaign=campaign.pk)
    flush()
    return found


@pytest.fixture
def start(tmp_path):
    """Starts processes, ends those that are left, and shows their logs."""
    made = []

    def begin(make, name, *args, **kwargs):
        made.append(make(*args, tmp_path / f"{name}.log", **kwargs))
        return made[-1]

    yield begin
    for process in made:
        process.kill()
        print(f"--- {process.log.name}\n{process.log.read_text()[-1500:]}")


def test_a_worker_killed_in_any_phase_is_made_up_for(agents, start, settings, tmp_path):
    settings.LEASE_SECONDS = int(LEASE_SECONDS)
    reviewer = make_user("reviewer")
    with MessagesAPI(answer) as api:
        common = {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "k", "LEASE_SECONDS": LEASE_SECONDS}
        victims, markers = {}, {}
        for point, agent in agents.items():
            markers[point] = tmp_path / f"{agent.pk}.marker"
            command = [sys.executable, "-m", "tests.agents.victim", point, str(agent.pk), str(markers[point])]
            victims[point] = start(Process, agent.name, command, **common)
        start(agents_worker, "survivor", **common)
        left = {}
        for point, victim in victims.items():
            wait_for(markers[point].exists, what=f"the victim {point}")
            if point == "while pausing":
                pause_agent(user=reviewer, agent_id=agents[point].pk, reason="let me look")
                assert state(agents[point]) == AgentState.PAUSING
            assert victim.kill() == -9
            left[point] = f"{state(agents[point])}: {' '.join(states(agents[point])) or 'nothing yet'}"
        taken_up = {point: agent for point, agent in agents.items() if point != "while waiting"}
        wait_for(lambda: all(rests(agent) for agent in taken_up.values()), what="every step taken up")
        assert state(agents["while waiting"]) == AgentState.WAITING  # a row, whoever wrote it
        score(Experiment.objects.get())
        paused = agents["while pausing"]
        assert state(paused) == AgentState.PAUSED
        assert Latch.objects.get().confirmed_at is not None
        assert Finding.objects.filter(author=paused.user_id).count() == 1  # nothing was done after the pause
        resume_agent(user=reviewer, agent_id=paused.pk, reason="go on")
        wait_for(lambda: all(ends(agent) for agent in agents.values()), what="every agent's end")
    print(f"\n{'killed':<32}{'left behind':<44}{'then':<34}calls  failed steps  done twice  lost")
    for point, agent in agents.items():
        print(check(point, agent, left[point], api.requests))
    money = Budget.objects.get(kind="money")
    assert (money.reserved, money.spent) == (0, sum(Step.objects.values_list("cost", flat=True)))


def check(point, agent, left, requests) -> str:
    """One line of the matrix, after everything in it has been checked."""
    expected = EXPECTED[point]
    own = [each for each in requests if f"You are {agent.name}." in json.dumps(each["messages"][0])]
    first = [each for each in own if all(message["role"] != "assistant" for message in each["messages"])]
    failed = Step.objects.filter(agent=agent, state=StepState.FAILED)
    made = states(agent)
    titles = sorted(Finding.objects.filter(author=agent.user_id).values_list("title", flat=True))
    twice = len(titles) - len(set(titles))
    lost = len(set(expected.found) - {title.split()[1] for title in titles})
    assert (twice, lost) == (0, 0), point
    assert titles == sorted(f"{agent.name} {word}" for word in expected.found), point
    assert made == expected.states.split(), point
    assert len(first) == expected.calls, point
    assert len(own) == expected.calls + 1, point  # nobody was asked twice what comes after
    assert failed.count() == expected.lost, point
    for each in failed:  # nobody knows what the lost call has cost: its worst case
        assert each.error == "the worker died during the model call"
        assert each.cost == Reservation.objects.get(key=f"step:{each.pk}", kind="money").amount > 0
    answered = [block for entry in entries(agent, "results") for block in entry.content]
    asked = [block for entry in entries(agent, "reply") for block in entry.content if block["type"] == "tool_use"]
    assert [block["tool_use_id"] for block in answered] == [block["id"] for block in asked], point
    told = [block["content"] for block in answered if block.get("is_error")]
    assert len(told) == made.count("interrupted"), point
    assert all(text.startswith("interrupted: the worker died") for text in told), point
    return f"{point:<32}{left:<44}{' '.join(made):<34}{len(first):>5}{failed.count():>14}{twice:>12}{lost:>6}"


def entries(agent, kind):
    return Entry.objects.filter(agent=agent, kind=kind).order_by("number")


def state(agent) -> str:
    return Agent.objects.values_list("state", flat=True).get(pk=agent.pk)


def states(agent) -> list[str]:
    """Of the first round's actions, in their order."""
    first = Action.objects.filter(step__agent=agent).exclude(tool="finish").order_by("step__number", "index")
    return list(first.values_list("state", flat=True))


def rests(agent) -> bool:
    reap()  # as beat does every few seconds
    return state(agent) in (AgentState.FINISHED, AgentState.PAUSED)


def ends(agent) -> bool:
    reap()
    return state(agent) == AgentState.FINISHED


def score(experiment):
    """What workers and scorer do."""
    now = timezone.now()
    Run.objects.filter(experiment=experiment).update(state=RunState.SCORED, dev_pgr=0.4, finished_at=now)
    Experiment.objects.filter(pk=experiment.pk).update(
        state=ExperimentState.SCORED, dev_pgr=0.4, dev_accuracy=0.68, dev_score=stored_score(0.4), finished_at=now
    )
