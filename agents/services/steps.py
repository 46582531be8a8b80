"""An agent's steps as rows: claimed under a lease, thought, acted, finished; a dead worker's step is taken up again.

Everything that must happen once is committed before the next thing begins: the step before the model is called, the
reply before the first action, an action's start before it runs and its result before the next one.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agents import dispatch, gate
from agents.briefing import campaign_brief
from agents.errors import LeaseLost
from agents.lifecycle import AT_WORK, ActionState, AgentState, CampaignState, LatchKind, StepState
from agents.models import Action, Agent, Entry, Step
from agents.observation import Observation
from agents.services import budgets
from agents.services.control import confirm, set_latch
from agents.services.states import move_agent, record_agent
from agents.services.transcript import append
from experiments.errors import OverBudget
from experiments.services.leases import lease_end, new_token

LONGEST_RESULT = 30_000  # characters of one tool result that the model and the page are given
INTERRUPTED = (
    "interrupted: the worker died while this was running. It may or may not have had its effect: look before you"
    " repeat it."
)
_DONE = [ActionState.DONE, ActionState.FAILED, ActionState.INTERRUPTED, ActionState.CANCELLED]


@dataclass(frozen=True, slots=True)
class Claim:
    """What one worker holds: an agent, and its open step if it is to go on with that one.

    step: None for a new round.
    """

    token: str
    agent: Agent
    step: Step | None


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call of a reply. call_id: the model's own name of it. problem: why it cannot be run; empty if it can."""

    call_id: str
    tool: str
    arguments: dict[str, Any]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action came to."""

    text: str
    is_error: bool = False
    state: str = ActionState.DONE


@transaction.atomic
def claim(*, agent_id: int, worker: str) -> Claim | None:
    """Take an agent that is due and may act; None if it is not, or if another worker has it.

    What a dead worker left is put in order first: its model call is booked at the worst case, its running actions are
    marked as interrupted. An agent that is held is shown as paused.
    """
    now = timezone.now()
    due = Agent.objects.due(now).filter(pk=agent_id)
    locked = due.select_for_update(skip_locked=True, no_key=True, of=("self",))
    agent = locked.select_related("campaign", "user").first()
    if agent is None or agent.campaign.state == CampaignState.DRAFT:
        return None
    step = _recovered(agent)
    if gate.what_holds(agent.pk) is not None:
        rest(agent)
        return None
    token = new_token(worker)
    to = AgentState.ACTING if step else AgentState.THINKING
    lease: dict[str, Any] = {"lease_owner": token, "lease_until": lease_end(now), "attempt": agent.attempt + 1}
    if agent.state != AgentState.READY:
        move_agent(agent, AgentState.READY)
    if step:  # READY -> THINKING -> ACTING is the only way in; the reply is there already
        move_agent(agent, AgentState.THINKING, **lease)
    move_agent(agent, to, wake_at=None, doing="going on" if step else "observing", **lease)
    return Claim(token, agent, step)


def rest(agent: Agent) -> None:
    """A held agent of which nothing runs: paused if a latch or its campaign holds it. Needs a transaction."""
    if agent.state in (*AT_WORK, AgentState.READY, AgentState.WAITING):
        move_agent(agent, AgentState.PAUSED)
    confirm(agent)


@transaction.atomic
def renew(claim: Claim) -> int:
    """Prolong the lease. Returns: 0 if it is lost."""
    held = Agent.objects.filter(pk=claim.agent.pk, lease_owner=claim.token)
    return held.update(lease_until=lease_end(timezone.now()))


@transaction.atomic
def say_doing(claim: Claim, doing: str) -> None:
    """What its card says; a lost lease says nothing."""
    held = Agent.objects.filter(pk=claim.agent.pk, lease_owner=claim.token)
    if held.update(doing=doing[:200]):
        record_agent(claim.agent, "agent.doing", doing=doing[:200], state=claim.agent.state)


@transaction.atomic
def begin(claim: Claim, *, news: Observation, worst_case: Callable[[], Mapping[str, int]]) -> Step:
    """Write the step and what the agent is told, and hold what the call may cost; all of it or nothing.

    worst_case: asked once the news is in the transcript. Raises: LeaseLost, OverBudget, NoPrice.
    """
    agent = _held(claim)
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
def hold_for_budget(claim: Claim, error: OverBudget) -> None:
    """The budget's own latch: people may raise the budget and resume."""
    agent = _held(claim)
    set_latch(agent, LatchKind.BUDGET, reason=str(error))
    rest(agent)


@transaction.atomic
def give_up(claim: Claim, error: str) -> None:
    """Something that only a person can mend: shown as failed, sent on by resume."""
    agent = _held(claim)
    move_agent(agent, AgentState.FAILED, error=error)


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
    agent = _held(claim)
    budgets.settle(agent=agent, key=reservation_key(step), spent=spent)
    if content:
        append(agent, "assistant", Entry.Kind.REPLY, content, step=step)
    Action.objects.bulk_create(
        Action(
            step=step, index=index, call_id=call.call_id, tool=call.tool[:60], arguments=call.arguments,
            digest=action_digest(agent, call.tool, call.arguments), result=call.problem, is_error=bool(call.problem),
            state=ActionState.FAILED if call.problem else ActionState.PROPOSED,
        )
        for index, call in enumerate(calls)
    )  # fmt: skip
    step.state, step.stop_reason, step.usage = StepState.ACTING, stop_reason[:40], dict(usage)
    step.cost = spent.get("money", 0)
    step.save(update_fields=["state", "stop_reason", "usage", "cost"])
    Agent.objects.filter(pk=agent.pk).update(failures=0, error="")
    if agent.state == AgentState.THINKING:
        move_agent(agent, AgentState.ACTING, lease_owner=claim.token, lease_until=agent.lease_until, doing="acting")
    claim.agent.state = agent.state
    said = "".join(block.get("text", "") for block in content if block.get("type") == "text")
    record_agent(
        agent, "step.thought", step=step.number, text=said[:4000], stop_reason=stop_reason, cost=step.cost,
        usage=dict(usage), tools=[call.tool for call in calls],
    )  # fmt: skip


@transaction.atomic
def record_summary(
    claim: Claim, step: Step, *, summary: str, usage: Mapping[str, int], spent: Mapping[str, int]
) -> None:
    """The transcript so far is summed up: from now on the model gets the brief, this, and what follows it."""
    agent = _held(claim)
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
    agent = _held(claim)
    budgets.settle(agent=agent, key=reservation_key(step), spent=spent)
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
def start_action(claim: Claim, action: Action) -> bool:
    """Note that an action begins, before it does. Returns: False if the agent is held now: then it must not begin."""
    agent = _held(claim)
    if gate.what_holds(agent.pk) is not None:
        return False
    now = timezone.now()
    started = Action.objects.filter(pk=action.pk, state=ActionState.PROPOSED).update(
        state=ActionState.RUNNING, started_at=now
    )
    if not started:
        return False
    action.state, action.started_at = ActionState.RUNNING, now
    Agent.objects.filter(pk=agent.pk).update(doing=f"{action.tool}"[:200])
    record_agent(agent, "action.started", action=action.pk, tool=action.tool, arguments=_shortened(action.arguments))
    return True


@transaction.atomic
def finish_action(claim: Claim, action: Action, outcome: Outcome) -> None:
    """Write what an action came to. Raises: LeaseLost."""
    agent = _held(claim)
    text = bounded(outcome.text)
    Action.objects.filter(pk=action.pk, state__in=[ActionState.RUNNING, ActionState.PROPOSED]).update(
        state=outcome.state, result=text, is_error=outcome.is_error, finished_at=timezone.now()
    )
    record_agent(
        agent, "action.finished", action=action.pk, tool=action.tool, state=str(outcome.state),
        is_error=outcome.is_error, result=text[:2000],
    )  # fmt: skip


@transaction.atomic
def finish_step(
    claim: Claim, step: Step, *, waits_for: Sequence[int] = (), wake_at: datetime | None = None, finished: bool = False
) -> None:
    """Every action has ended: its results go into the transcript, and the agent rests, waits or goes on at once."""
    agent = _held(claim)
    actions = list(step.actions.order_by("index"))
    if actions:
        blocks = [_result_block(action) for action in actions]
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
        doing = f"waiting for experiment {', '.join(f'#{each}' for each in waits_for)}" if waits_for else "waiting"
        move_agent(agent, AgentState.WAITING, waits_for=list(waits_for), wake_at=wake_at, doing=doing, **common)
    else:
        move_agent(agent, AgentState.READY, waits_for=[], **common)
        dispatch.wake([agent.pk])


@transaction.atomic
def put_down(claim: Claim) -> None:
    """The agent is held in the middle of a step: its open actions stay as they are, and it is shown as paused."""
    agent = _held(claim)
    rest(agent)


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


def reservation_key(step: Step) -> str:
    """What the step's model call is booked under."""
    return f"step:{step.pk}"


def action_digest(agent: Agent, tool: str, arguments: Mapping[str, Any]) -> str:
    """SHA-256 of who calls what with what: an approval or a repeat is recognised by it."""
    canonical = json.dumps([agent.pk, tool, arguments], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def bounded(text: str) -> str:
    """Text that fits a tool result, NULs removed; the middle gives way."""
    text = text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if len(text) <= LONGEST_RESULT:
        return text
    half = LONGEST_RESULT // 2 - 40
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _held(claim: Claim) -> Agent:
    """The agent's row, locked. Raises: LeaseLost."""
    row = Agent.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign", "user")
    agent: Agent | None = row.filter(pk=claim.agent.pk, lease_owner=claim.token).first()
    if agent is None:
        raise LeaseLost(f"agent {claim.agent.pk} is no longer ours")
    return agent


def _recovered(agent: Agent) -> Step | None:
    """Put in order what a dead worker left. Returns: the step to go on with, if its reply is there."""
    unfinished = Step.objects.filter(agent=agent, state__in=[StepState.THINKING, StepState.ACTING])
    step = unfinished.order_by("-number").first()
    if step is None:
        return None
    if step.state == StepState.THINKING:
        # nobody knows what the lost call has cost, so it is booked at its worst case: a budget never flatters itself
        worst = budgets.held(key=reservation_key(step))
        budgets.settle(agent=agent, key=reservation_key(step), spent=worst)
        step.state, step.error = StepState.FAILED, "the worker died during the model call"
        step.finished_at, step.cost = timezone.now(), worst.get("money", 0)
        step.save(update_fields=["state", "error", "finished_at", "cost"])
        record_agent(agent, "step.failed", step=step.number, error=step.error, again_at=None)
        return None
    lost = step.actions.filter(state=ActionState.RUNNING)
    for action in lost:
        record_agent(agent, "action.finished", action=action.pk, tool=action.tool, state="interrupted", is_error=True)
    lost.update(state=ActionState.INTERRUPTED, result=INTERRUPTED, is_error=True, finished_at=timezone.now())
    return step


def _result_block(action: Action) -> dict[str, Any]:
    text = action.result if action.state in _DONE else "not run: the agent was stopped"
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": action.call_id, "content": text or "(no output)"}
    return {**block, "is_error": True} if action.is_error or action.state not in _DONE else block


def _shortened(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for the live stream: long texts cut; the row has them whole."""
    return {
        key: f"{value[:500]}…" if isinstance(value, str) and len(value) > 500 else value
        for key, value in arguments.items()
    }
