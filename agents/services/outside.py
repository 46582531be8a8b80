"""What agents that run elsewhere do in the lab, as rows: a call is a step of one action, its words are the caller's."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agents.lifecycle import ActionState, AgentState, StepState
from agents.models import Action, Agent, Entry, Step
from agents.services.actions import action_digest, bounded
from agents.services.states import move_agent, record_agent
from agents.services.transcript import append
from agents.services.writes import begin_write, locked_agent
from experiments.errors import Refused
from experiments.guard import Call

OUTSIDE = "outside"
NOTE = "Called from outside, by MCP."  # the lab saw the call; what led to it, only the caller knows


def lock_outside(agent_id: int) -> Agent:
    """The agent's row, held to the end of the transaction: its calls come one after the other, and a pause waits.

    Raises: Refused for an agent that the lab drives: its transcript is what its model is given.
    """
    agent = locked_agent(agent_id)
    check_outside(agent)
    return agent


def check_outside(agent: Agent) -> None:
    """Raises: Refused."""
    if agent.researcher != OUTSIDE:
        raise Refused(f"agent {agent.name} is driven by the lab ({agent.researcher}); MCP is for outside agents")


def record_call(
    agent: Agent, *, tool: str, arguments: Mapping[str, Any], result: str, is_error: bool, state: str
) -> None:
    """A call and its result in the live transcript, marked as come from outside. Needs the agent's row locked."""
    now, text = timezone.now(), bounded(result)
    number = (Step.objects.filter(agent=agent).aggregate(last=Max("number"))["last"] or 0) + 1
    step = Step.objects.create(agent=agent, number=number, state=StepState.DONE, stop_reason=OUTSIDE, finished_at=now)
    call_id = f"outside_{number}"
    action = Action.objects.create(
        step=step, index=0, call_id=call_id, tool=tool[:60], arguments=dict(arguments), state=state, result=text,
        digest=action_digest(agent, tool, arguments), is_error=is_error, started_at=now, finished_at=now,
    )  # fmt: skip
    used = {"type": "tool_use", "id": call_id, "name": tool, "input": dict(arguments)}
    append(agent, "assistant", Entry.Kind.REPLY, [{"type": "text", "text": NOTE}, used], step=step)
    answered = {"type": "tool_result", "tool_use_id": call_id, "content": text or "(no output)"}
    append(agent, "user", Entry.Kind.RESULTS, [{**answered, "is_error": True} if is_error else answered], step=step)
    Agent.objects.filter(pk=agent.pk).update(steps_done=number)
    record_agent(
        agent, "action.finished", action=action.pk, tool=tool, state=str(state), is_error=is_error, result=text[:2000],
        self_reported=False, outside=True,
    )  # fmt: skip


def finish_outside(agent: Agent, *, summary: str) -> None:
    """An outside agent ends its research; its campaign finishes when every agent has. Needs the row locked."""
    record_agent(agent, "agent.summary", actor=agent.user, summary=summary)
    move_agent(agent, AgentState.FINISHED, actor=agent.user)


@transaction.atomic
def finish_own_work(*, agent_id: int, summary: str) -> Agent:
    """The same by REST.

    Raises: Held for one that is paused or has ended; Refused by its policy, and for one that the lab drives.
    """
    agent = begin_write(agent_id, Call("finish", {"summary": summary}))
    check_outside(agent)
    finish_outside(agent, summary=summary)
    return agent


def state_of(is_error: bool) -> str:
    """How a call that has returned is shown."""
    return ActionState.FAILED if is_error else ActionState.DONE
