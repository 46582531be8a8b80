"""Who works for an agent: one worker at a time, under a lease; what a dead worker left is put in order first."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from agents import gate
from agents.errors import LeaseLost
from agents.lifecycle import AT_WORK, ActionState, AgentState, CampaignState, LatchKind, StepState
from agents.models import Agent, Step
from agents.services import budgets
from agents.services.control import confirm, set_latch
from agents.services.states import move_agent, record_agent
from experiments.errors import OverBudget
from experiments.services.leases import lease_end, new_token

INTERRUPTED = (
    "interrupted: the worker died while this was running. It may or may not have had its effect: look before you"
    " repeat it."
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What one worker holds: an agent, and its open step if it is to go on with that one.

    step: None for a new round.
    """

    token: str
    agent: Agent
    step: Step | None


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


@transaction.atomic
def renew(claim: Claim) -> int:
    """Prolong the lease. Returns: 0 if it is lost."""
    held = Agent.objects.filter(pk=claim.agent.pk, lease_owner=claim.token)
    return held.update(lease_until=lease_end(timezone.now()))


@transaction.atomic
def put_down(claim: Claim) -> None:
    """The agent is held in the middle of a step: its open actions stay as they are, and it is shown as paused."""
    agent = held_by(claim)
    rest(agent)


@transaction.atomic
def hold_for_budget(claim: Claim, error: OverBudget) -> None:
    """The budget's own latch: people may raise the budget and resume."""
    agent = held_by(claim)
    set_latch(agent, LatchKind.BUDGET, reason=str(error))
    rest(agent)


@transaction.atomic
def give_up(claim: Claim, error: str) -> None:
    """Something that only a person can mend: shown as failed, sent on by resume."""
    agent = held_by(claim)
    move_agent(agent, AgentState.FAILED, error=error)


@transaction.atomic
def end(claim: Claim) -> None:
    """The agent's research is done: an approved call of it said so."""
    agent = held_by(claim)
    move_agent(agent, AgentState.FINISHED)


def rest(agent: Agent) -> None:
    """A held agent of which nothing runs: paused if a latch or its campaign holds it. Needs a transaction."""
    confirm(agent)
    if agent.state in (*AT_WORK, AgentState.READY, AgentState.WAITING):
        move_agent(agent, AgentState.PAUSED)


def held_by(claim: Claim) -> Agent:
    """The agent's row, locked. Raises: LeaseLost."""
    row = Agent.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign", "user")
    agent: Agent | None = row.filter(pk=claim.agent.pk, lease_owner=claim.token).first()
    if agent is None:
        raise LeaseLost(f"agent {claim.agent.pk} is no longer ours")
    return agent


def reservation_key(step: Step) -> str:
    """What the step's model call is booked under."""
    return f"step:{step.pk}"


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
