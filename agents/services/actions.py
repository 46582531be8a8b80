"""An agent's tool calls as rows: an action is started before it runs, and has its result before the next one starts."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from agents import gate
from agents.lifecycle import ACTION_FINAL, ActionState
from agents.models import Action, Agent, Step
from agents.services.claims import Claim, held_by
from agents.services.states import record_agent
from agents.services.transcript import storable

LONGEST_RESULT = 30_000  # characters of one tool result that the model and the page are given
_DONE = [*ACTION_FINAL, ActionState.PARKED]


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


def propose_actions(agent: Agent, step: Step, calls: Sequence[Call]) -> None:
    """The calls of a reply, to be run one after the other. Needs a transaction that holds the agent's row."""
    Action.objects.bulk_create(_proposed(agent, step, index, call) for index, call in enumerate(calls))


def _proposed(agent: Agent, step: Step, index: int, call: Call) -> Action:
    """One call as a row. What cannot be stored as it was said is not run: it would be another call."""
    tool, arguments = storable(call.tool)[:60], storable(call.arguments)
    problem = call.problem
    if not problem and (tool, arguments) != (call.tool, call.arguments):
        problem = "the name or the arguments hold a NUL or half of a surrogate pair, or the name is too long; not run"
    return Action(
        step=step,
        index=index,
        call_id=call.call_id,
        tool=tool,
        arguments=arguments,
        digest=action_digest(agent, tool, arguments),
        result=problem,
        is_error=bool(problem),
        state=ActionState.FAILED if problem else ActionState.PROPOSED,
    )


@transaction.atomic
def start_action(claim: Claim, action: Action) -> bool:
    """Note that an action begins, before it does. Returns: False if the agent is held now: then it must not begin."""
    agent = held_by(claim)
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
    agent = held_by(claim)
    text = bounded(outcome.text)
    Action.objects.filter(pk=action.pk, state__in=[ActionState.RUNNING, ActionState.PROPOSED]).update(
        state=outcome.state, result=text, is_error=outcome.is_error, finished_at=timezone.now()
    )
    record_agent(
        agent, "action.finished", action=action.pk, tool=action.tool, state=str(outcome.state),
        is_error=outcome.is_error, result=text[:2000],
    )  # fmt: skip


def result_blocks(step: Step) -> list[dict[str, Any]]:
    """What its calls came to, as the model is told: one block for each, in their order."""
    return [_result_block(action) for action in step.actions.order_by("index")]


def action_digest(agent: Agent, tool: str, arguments: Mapping[str, Any]) -> str:
    """SHA-256 of who calls what with what: an approval or a repeat is recognised by it."""
    canonical = json.dumps([agent.pk, tool, arguments], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def bounded(text: str) -> str:
    """Text that fits a tool result, what cannot be stored replaced; the middle gives way."""
    text = storable(text)
    if len(text) <= LONGEST_RESULT:
        return text
    half = LONGEST_RESULT // 2 - 40
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


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
