"""tests agents/loop.py and services/{claims,steps,actions}.py: steps, actions, crashes, pauses."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.errors import LeaseLost
from agents.gate import what_holds
from agents.lifecycle import ActionState, AgentState, StepState
from agents.loop import run_step
from agents.models import Action, Agent, Entry, Latch, Reservation, Step
from agents.researchers import Cancelled, ModelUnavailable
from agents.services import claims, steps
from agents.services.control import message_agent, pause_agent, resume_agent, stop_agent
from agents.tools import TOOLS, Arguments, Tool, ToolResult
from tests.agents.conftest import make_campaign, the_agent, thought
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def probe_tool(monkeypatch):
    """A tool "probe" that does what the test wants; its calls are kept."""
    calls = []

    class ProbeArguments(Arguments):
        word: str = ""

    class Probe(Tool):
        name, summary, Arguments = "probe", "For tests.", ProbeArguments
        behave = staticmethod(lambda actor, arguments: ToolResult(f"got {arguments.word}"))

        def run(self, actor, arguments):
            calls.append(arguments.word)
            return type(self).behave(actor, arguments)

    class Finish(Tool):
        name, summary = "finish", "Ends."
        Arguments = type("FinishArguments", (Arguments,), {"__annotations__": {"summary": str}})

        def run(self, actor, arguments):
            return ToolResult("bye", finished=True)

    TOOLS.names()
    monkeypatch.setitem(TOOLS._items, "probe", Probe)
    monkeypatch.setitem(TOOLS._items, "finish", Finish)
    Probe.calls = calls
    return Probe


def test_a_step_thinks_acts_and_writes_everything_down(roles, script, probe_tool):
    agent = the_agent(make_campaign(budgets={"money": 10_000, "tokens": 1000}))
    script += [thought("I try two things", ("probe", {"word": "a"}), ("probe", {"word": "b"}))]
    run_step(agent_id=agent.pk, worker="w")
    agent.refresh_from_db()
    assert probe_tool.calls == ["a", "b"]
    assert agent.state == AgentState.READY
    assert agent.lease_owner == ""
    assert list(Entry.objects.filter(agent=agent).values_list("role", "kind")) == [
        ("user", "brief"),
        ("assistant", "reply"),
        ("user", "results"),
    ]
    assert [block["content"] for block in Entry.objects.get(kind="results").content] == ["got a", "got b"]
    assert Step.objects.get().state == StepState.DONE
    money = agent.campaign.budgets.get(kind="money")
    assert (money.reserved, money.spent) == (0, 10)


def test_the_last_action_that_finishes_ends_the_agent(roles, script):
    agent = the_agent(make_campaign())
    script += [thought("done", ("finish", {"summary": "x"}))]
    run_step(agent_id=agent.pk, worker="w")
    agent.refresh_from_db()
    assert agent.state == AgentState.FINISHED


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (("probe", {"wrong": 1}), "wrong: Extra inputs are not permitted"),
        (("nonsense", {}), "unknown tool 'nonsense'; known:"),
    ],
)
def test_a_call_that_makes_no_sense_is_told_to_the_model(roles, script, call, words):
    agent = the_agent(make_campaign())
    script += [thought("oops", call)]
    run_step(agent_id=agent.pk, worker="w")
    block = Entry.objects.get(kind="results").content[0]
    assert block["is_error"]
    assert words in block["content"]
    assert Agent.objects.get().state == AgentState.READY


def test_a_tool_that_breaks_does_not_end_the_agent_and_tells_no_internals(roles, script, probe_tool):
    agent = the_agent(make_campaign())

    def broken(actor, arguments):
        raise RuntimeError("secret path /x")

    probe_tool.behave = staticmethod(broken)
    script += [thought("try", ("probe", {}))]
    run_step(agent_id=agent.pk, worker="w")
    assert Entry.objects.get(kind="results").content[0]["content"] == "the tool failed: RuntimeError"
    assert Agent.objects.get().state == AgentState.READY


def test_a_second_message_for_the_same_step_finds_it_claimed(roles, script):
    agent = the_agent(make_campaign())
    claim = claims.claim(agent_id=agent.pk, worker="one")
    assert claim is not None
    assert claims.claim(agent_id=agent.pk, worker="two") is None


def test_a_worker_that_dies_in_the_model_call_costs_the_worst_case_and_the_step_is_taken_up_again(roles, script):
    agent = the_agent(make_campaign(budgets={"money": 10_000}))
    claim = claims.claim(agent_id=agent.pk, worker="dies")
    from agents.observation import observe

    steps.begin(claim, news=observe(claim.agent), worst_case=lambda: {"money": 1000})
    expire(agent)
    script += [thought("again", ("probe", {"word": "x"}))]
    run_step(agent_id=agent.pk, worker="lives")
    first, second = Step.objects.order_by("number")
    assert (first.state, first.cost, first.error) == (StepState.FAILED, 1000, "the worker died during the model call")
    assert second.state == StepState.DONE
    money = agent.campaign.budgets.get(kind="money")
    assert (money.reserved, money.spent) == (0, 1010)


def test_a_worker_that_dies_between_two_actions_repeats_none_and_loses_none(roles, script, probe_tool):
    agent = the_agent(make_campaign())
    script += [thought("three", *[("probe", {"word": w}) for w in "abc"])]

    class Died(BaseException):
        pass

    def behave(actor, arguments):
        if arguments.word == "b":
            raise Died
        return ToolResult(arguments.word)

    probe_tool.behave = staticmethod(behave)
    with pytest.raises(Died):
        run_step(agent_id=agent.pk, worker="dies")
    expire(agent)
    run_step(agent_id=agent.pk, worker="lives")
    assert probe_tool.calls == ["a", "b", "c"]
    assert list(Action.objects.order_by("index").values_list("state", flat=True)) == [
        ActionState.DONE,
        ActionState.INTERRUPTED,
        ActionState.DONE,
    ]
    texts = [block["content"] for block in Entry.objects.get(kind="results").content]
    assert texts[1].startswith("interrupted: the worker died")


def test_a_zombie_writes_nothing(roles, script):
    agent = the_agent(make_campaign())
    zombie = claims.claim(agent_id=agent.pk, worker="zombie")
    expire(agent)
    script += [thought("mine", ("probe", {}))]
    run_step(agent_id=agent.pk, worker="lives")
    with pytest.raises(LeaseLost):
        claims.put_down(zombie)


def test_pause_between_two_actions_keeps_the_second_for_later(roles, script, probe_tool):
    campaign = make_campaign()
    agent, reviewer = the_agent(campaign), make_user("reviewer")

    def behave(actor, arguments):
        if arguments.word == "a":
            pause_agent(user=reviewer, agent_id=agent.pk, reason="look")
        return ToolResult(arguments.word)

    probe_tool.behave = staticmethod(behave)
    script += [thought("two", ("probe", {"word": "a"}), ("probe", {"word": "b"}))]
    run_step(agent_id=agent.pk, worker="w")
    agent.refresh_from_db()
    assert (agent.state, probe_tool.calls) == (AgentState.PAUSED, ["a"])
    assert Latch.objects.get().confirmed_at is not None
    run_step(agent_id=agent.pk, worker="w")
    assert probe_tool.calls == ["a"]
    resume_agent(user=reviewer, agent_id=agent.pk, reason="go on")
    run_step(agent_id=agent.pk, worker="w")
    agent.refresh_from_db()
    assert (agent.state, probe_tool.calls) == (AgentState.READY, ["a", "b"])


def test_pause_now_cuts_the_stream_and_keeps_what_it_had_said(roles, script):
    campaign = make_campaign()
    agent, reviewer = the_agent(campaign), make_user("reviewer")

    def talk(view, say, may_go_on):
        say("I was about to")
        pause_agent(user=reviewer, agent_id=agent.pk, reason="stop talking", now=True)
        deadline = timezone.now() + timedelta(seconds=5)
        while may_go_on() and timezone.now() < deadline:
            pass
        return Cancelled("I was about to", {"input": 7})

    script += [talk]
    run_step(agent_id=agent.pk, worker="w")
    agent.refresh_from_db()
    step = Step.objects.get()
    assert (agent.state, step.state, step.partial) == (AgentState.PAUSED, StepState.FAILED, "I was about to")


def test_stop_in_the_middle_is_final(roles, script, probe_tool):
    agent, reviewer = the_agent(make_campaign()), make_user("reviewer")

    def behave(actor, arguments):
        stop_agent(user=reviewer, agent_id=agent.pk, reason="enough")
        return ToolResult("late")

    probe_tool.behave = staticmethod(behave)
    script += [thought("two", ("probe", {"word": "a"}), ("probe", {"word": "b"}))]
    run_step(agent_id=agent.pk, worker="w")
    run_step(agent_id=agent.pk, worker="w")
    agent.refresh_from_db()
    assert (agent.state, probe_tool.calls) == (AgentState.STOPPED, ["a"])
    assert what_holds(agent.pk).latch == "stopped"


def test_a_model_that_is_overloaded_is_asked_again_later_and_the_card_says_when(roles, script):
    agent = the_agent(make_campaign())
    script += [ModelUnavailable("overloaded (529)", after_seconds=45)]
    run_step(agent_id=agent.pk, worker="w")
    agent.refresh_from_db()
    assert agent.state == AgentState.WAITING
    assert agent.error == "overloaded (529)"
    assert 40 < (agent.wake_at - timezone.now()).total_seconds() <= 45


def test_a_model_that_will_never_answer_is_shown_as_failed_and_can_be_sent_on(roles, script):
    agent = the_agent(make_campaign())
    script += [ModelUnavailable("no such model (404)", again=False)]
    run_step(agent_id=agent.pk, worker="w")
    agent.refresh_from_db()
    assert (agent.state, agent.error) == (AgentState.FAILED, "no such model (404)")
    resume_agent(user=make_user("reviewer"), agent_id=agent.pk, reason="key added")
    agent.refresh_from_db()
    assert agent.state == AgentState.READY


def test_an_empty_budget_latches_the_agent_and_resume_with_more_lets_it_go_on(roles, script):
    agent = the_agent(make_campaign(budgets={"money": 500}))
    script += [thought("cheap", ("probe", {}))]
    run_step(agent_id=agent.pk, worker="w")
    agent.refresh_from_db()
    assert agent.state == AgentState.PAUSED
    assert Latch.objects.get().kind == "budget"
    assert not Reservation.objects.exists()
    assert not Step.objects.exists()
    resume_agent(user=make_user("reviewer"), agent_id=agent.pk, reason="more", add_budget={"money": 1000})
    run_step(agent_id=agent.pk, worker="w")
    assert Step.objects.get().state == StepState.DONE


def test_each_latch_needs_its_own_release(roles, script):
    agent, reviewer = the_agent(make_campaign()), make_user("reviewer")
    from django.db import transaction

    from agents.services.control import set_latch

    with transaction.atomic():
        set_latch(agent, "flag", reason="suspected")
    pause_agent(user=reviewer, agent_id=agent.pk, reason="me too")
    resume_agent(user=reviewer, agent_id=agent.pk, reason="mine only")
    agent.refresh_from_db()
    assert agent.state == AgentState.PAUSED
    resume_agent(user=reviewer, agent_id=agent.pk, reason="cleared", kinds=["flag"])
    agent.refresh_from_db()
    assert agent.state == AgentState.READY


def test_a_message_is_read_at_the_next_step(roles, script):
    agent = the_agent(make_campaign())
    message_agent(user=make_user("reviewer"), agent_id=agent.pk, text="try the other benchmark")
    script += [thought("ok", ("probe", {}))]
    run_step(agent_id=agent.pk, worker="w")
    assert any("try the other benchmark" in str(entry.content) for entry in Entry.objects.all())


def expire(agent):
    """As if the worker had died long ago."""
    Agent.objects.filter(pk=agent.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
