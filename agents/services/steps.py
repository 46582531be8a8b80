"""An agent's rounds as rows: begun before the model is called, replied to before the first action, finished, or failed.

Everything that must happen once is committed before the next thing begins: the step before the model is called, the
reply before the first action, an action's start before it runs and its result before the next one.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agents import dispatch, gate
from agents.briefing import campaign_brief
from agents.lifecycle import AgentState, StepState
from agents.models import Agent, Entry, Step
from agents.observation import Observation
from agents.services import budgets
from agents.services.actions import Call, bounded, propose_actions, result_blocks
from agents.services.claims import Claim, held_by, reservation_key, rest
from agents.services.states import move_agent, record_agent
from agents.services.transcript import append, storable


@transaction.atomic
def begin(claim: Claim, *, news: Observation, worst_case: Callable[[], Mapping[str, int]]) -> Step:
    """Write the step and what the agent is told, and hold what the call may cost; all of it or nothing.

    worst_case: asked once the news is in the transcript. Raises: LeaseLost, OverBudget, NoPrice; Held for an agent that
    was paused since it was claimed: a latch locks the same row, so no call begins after it.
    """
    agent = held_by(claim)
    gate.check(agent.pk)
    number = (Step.objects.filter(agent=agent).aggregate(last=Max("number"))["last"] or 0) + 1
    step = Step.objects.create(agent=agent, number=number)
    if number == 1:
        append(agent, "user", Entry.Kind.BRIEF, [{"type": "text", "text": campaign_brief(agent)}], step=step)
    if news.text:
        append(agent, "user", Entry.Kind.NEWS, [{"type": "text", "text": news.text}], step=step)
    Agent.objects.filter(pk=agent.pk).update(seen_event=news.seen_event, seen_finding=news.seen_finding)
    budgets.reserve(agent=agent, key=reservation_key(step), amounts=worst_case())
    record_agent(agent, "step.started", step=number)
    return step


@transaction.atomic
def record_reply(
    claim: Claim,
    step: Step,
    *,
    content: list[dict[str, Any]],
    calls: Sequence[Call],
    stop_reason: str,
    usage: Mapping[str, int],
    spent: Mapping[str, int],
) -> None:
    """The model has answered: its words, the calls it wants, what it cost. Raises: LeaseLost."""
    agent = held_by(claim)
    budgets.settle(agent=agent, key=reservation_key(step), spent=spent)
    if content:
        append(agent, "assistant", Entry.Kind.REPLY, content, step=step)
    propose_actions(agent, step, calls)
    step.state, step.stop_reason, step.usage = StepState.ACTING, stop_reason[:40], dict(usage)
    step.cost = spent.get("money", 0)
    step.save(update_fields=["state", "stop_reason", "usage", "cost"])
    Agent.objects.filter(pk=agent.pk).update(failures=0, error="")
    if agent.state == AgentState.THINKING:
        move_agent(agent, AgentState.ACTING, lease_owner=claim.token, lease_until=agent.lease_until, doing="acting")
    claim.agent.state = agent.state
    said = storable("".join(block.get("text", "") for block in content if block.get("type") == "text"))
    record_agent(
        agent, "step.thought", step=step.number, text=said[:4000], stop_reason=stop_reason, cost=step.cost,
        usage=dict(usage), tools=storable([call.tool for call in calls]),
    )  # fmt: skip


@transaction.atomic
def record_summary(
    claim: Claim, step: Step, *, summary: str, usage: Mapping[str, int], spent: Mapping[str, int]
) -> None:
    """The transcript so far is summed up: from now on the model gets the brief, this, and what follows it."""
    agent = held_by(claim)
    budgets.settle(agent=agent, key=reservation_key(step), spent=spent)
    kept = Entry.objects.filter(agent=agent, kind=Entry.Kind.RESULTS).order_by("-number").first()
    text = f"Summary of the conversation so far, written by you:\n{summary}"
    if kept is not None:
        last = "\n".join(str(block.get("content", "")) for block in kept.content)
        text += f"\n\nThe newest tool results:\n{bounded(last)}"
    append(agent, "user", Entry.Kind.COMPACTION, [{"type": "text", "text": text}], step=step)
    step.state, step.stop_reason, step.usage = StepState.DONE, "summary", dict(usage)
    step.cost, step.finished_at = spent.get("money", 0), timezone.now()
    step.save(update_fields=["state", "stop_reason", "usage", "cost", "finished_at"])
    record_agent(agent, "transcript.compacted", step=step.number, cost=step.cost)
    if gate.what_holds(agent.pk) is not None:
        rest(agent)
        return
    move_agent(agent, AgentState.READY, attempt=0)
    dispatch.wake([agent.pk])


@transaction.atomic
def fail_step(
    claim: Claim,
    step: Step,
    *,
    error: str,
    spent: Mapping[str, int],
    partial: str = "",
    again_at: datetime | None,
    for_good: bool = False,
) -> None:
    """The model could not be asked, or its stream broke or was cancelled. again_at: when to try again; None at once.

    The agent stays in the campaign: it waits, and its card says why. for_good: trying again would not help, so it is
    shown as failed until a person sends it on.
    """
    agent = held_by(claim)
    budgets.settle(agent=agent, key=reservation_key(step), spent=spent)
    error, partial = storable(error), storable(partial)
    step.state, step.error, step.partial, step.finished_at = StepState.FAILED, error, partial, timezone.now()
    step.cost = spent.get("money", 0)
    step.save(update_fields=["state", "error", "partial", "finished_at", "cost"])
    record_agent(agent, "step.failed", step=step.number, error=error, again_at=again_at and again_at.isoformat())
    if for_good:
        move_agent(agent, AgentState.FAILED, error=error)
        return
    if gate.what_holds(agent.pk) is not None:
        rest(agent)
        return
    failures = agent.failures + 1
    if again_at is None:
        move_agent(agent, AgentState.READY, failures=failures, error=error)
        dispatch.wake([agent.pk])
    else:
        move_agent(agent, AgentState.WAITING, failures=failures, error=error, wake_at=again_at, doing=error[:200])


@transaction.atomic
def finish_step(
    claim: Claim,
    step: Step,
    *,
    waits_for: Sequence[int] = (),
    wake_at: datetime | None = None,
    finished: bool = False,
    doing: str = "waiting",
) -> None:
    """Every action has ended or is parked: the results go into the transcript, the agent rests, waits or goes on.

    doing: what it waits for, if not for experiments.
    """
    agent = held_by(claim)
    blocks = result_blocks(step)
    if blocks:
        append(agent, "user", Entry.Kind.RESULTS, blocks, step=step)
    step.state, step.finished_at = StepState.DONE, timezone.now()
    step.save(update_fields=["state", "finished_at"])
    record_agent(agent, "step.finished", step=step.number)
    common: dict[str, Any] = {"steps_done": agent.steps_done + 1, "attempt": 0}
    if finished:
        move_agent(agent, AgentState.FINISHED, waits_for=[], **common)
    elif gate.what_holds(agent.pk) is not None:
        Agent.objects.filter(pk=agent.pk).update(waits_for=list(waits_for), **common)
        rest(agent)
    elif waits_for or wake_at:
        doing = f"waiting for experiment {', '.join(f'#{each}' for each in waits_for)}" if waits_for else doing
        move_agent(agent, AgentState.WAITING, waits_for=list(waits_for), wake_at=wake_at, doing=doing, **common)
    else:
        move_agent(agent, AgentState.READY, waits_for=[], **common)
        dispatch.wake([agent.pk])


@transaction.atomic
def wake_waiting(*, experiment_id: int) -> None:
    """An experiment has ended: whoever waits for it, and for no other, goes on."""
    for agent in Agent.objects.select_for_update(no_key=True, skip_locked=True).filter(
        state=AgentState.WAITING, waits_for__contains=[experiment_id]
    ):
        remaining = [each for each in agent.waits_for if each != experiment_id]
        if remaining:
            Agent.objects.filter(pk=agent.pk).update(waits_for=remaining)
            continue
        move_agent(agent, AgentState.READY, waits_for=[], wake_at=None)
        dispatch.wake([agent.pk])


def retry_at(failures: int, retry_after_seconds: float | None) -> datetime:
    """When to ask a model again: what the server asks for, else 2 s doubled per failure, at most 5 minutes."""
    seconds = retry_after_seconds if retry_after_seconds is not None else min(2.0 * 2**failures, 300.0)
    return timezone.now() + timedelta(seconds=max(seconds, 1.0))
