"""Pause, resume, stop and tell agents: what people do to them, each verb idempotent and with a reason.

A latch holds an agent from the moment it is committed; `paused` is shown when the loop has confirmed it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from agents import dispatch
from agents.lifecycle import AGENT_ENDED, ActionState, AgentState, ApprovalState, CampaignState, LatchKind
from agents.models import Action, Agent, Approval, Campaign, Entry, Latch, Token
from agents.permissions import can_message, can_review
from agents.services import budgets
from agents.services.states import move_agent, record_agent
from agents.services.transcript import append
from experiments.acting import act_as
from experiments.errors import Forbidden, IllegalTransition, InvalidInput, NotFound
from experiments.lifecycle import EXPERIMENT_TERMINAL
from experiments.models import Experiment
from experiments.services import holds
from experiments.services.experiments import cancel_experiment
from experiments.texts import check_reason

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST_MESSAGE = 10_000


@transaction.atomic
def pause_agent(*, user: "User", agent_id: int, reason: str, now: bool = False) -> Agent:
    """Set the reviewer's latch. now: cancel the call in flight, too; a plain pause may be sharpened to that later.

    Raises: NotFound, Forbidden, InvalidInput without a reason, IllegalTransition for an agent that has ended.
    """
    agent, why = _held_for_review(user, agent_id, reason)
    if agent.state in AGENT_ENDED:
        raise IllegalTransition(f"agent {agent.name} has {agent.state} and cannot be paused")
    set_latch(agent, LatchKind.REVIEWER, reason=why, now=now, actor=user)
    return agent


def set_latch(agent: Agent, kind: str, *, reason: str, now: bool = False, actor: "User | None" = None) -> Latch:
    """Hold a locked agent; a latch of the kind that is set already stays, at most sharpened. Needs a transaction.

    The agent's row is where a latch and a write of the agent meet (services/writes.py): when this is committed nothing
    that it queued is free, and nothing that it begins is let in.
    """
    holds.hold([agent.user_id])  # experiments before events, as workers lock them
    latch = Latch.objects.filter(agent=agent, kind=kind, released_at=None).first()
    if latch is None:
        latch = Latch.objects.create(agent=agent, kind=kind, reason=reason, now=now, set_by=actor)
        record_agent(agent, "agent.latched", actor=actor, latch=kind, reason=reason, now=now)
    elif now and not latch.now:
        latch.now = True
        latch.save(update_fields=["now"])
        record_agent(agent, "agent.latched", actor=actor, latch=kind, reason=reason, now=True)
    if agent.state in (AgentState.THINKING, AgentState.ACTING):
        Agent.objects.filter(pk=agent.pk).update(state=AgentState.PAUSING, state_since=timezone.now())
        agent.state = AgentState.PAUSING
        record_agent(agent, "agent.state", actor=actor, state=agent.state, doing=agent.doing)
    elif agent.state in (AgentState.READY, AgentState.WAITING):
        move_agent(agent, AgentState.PAUSED, actor=actor)
        confirm(agent)
    elif agent.state == AgentState.PAUSED:
        confirm(agent)
    return latch


def confirm(agent: Agent) -> None:
    """Nothing of the agent's runs any more, and what it queued waits: note it on the latches that hold it."""
    unconfirmed = Latch.objects.filter(agent=agent, released_at=None, confirmed_at=None)
    if unconfirmed.exists():
        holds.hold([agent.user_id])
        unconfirmed.update(confirmed_at=timezone.now())


@transaction.atomic
def resume_agent(
    *,
    user: "User",
    agent_id: int,
    reason: str,
    add_budget: Mapping[str, int] | None = None,
    kinds: list[str] | None = None,
) -> Agent:
    """Release latches, the reviewer's and the budget's unless `kinds` names others, and let the agent go on.

    Each latch needs its own release: an agent whose flag latch is set stays paused. A failed agent is sent on.
    add_budget: amounts by kind that raise the limits. Raises: NotFound, Forbidden, InvalidInput, IllegalTransition.
    """
    agent, why = _held_for_review(user, agent_id, reason)
    if agent.state in AGENT_ENDED:
        raise IllegalTransition(f"agent {agent.name} has {agent.state}: a new agent is needed")
    unknown = sorted(set(kinds or ()) - set(LatchKind.values))
    if unknown:
        allowed = ", ".join(LatchKind.values)
        raise InvalidInput(f"{unknown[0]!r}: expected one of {allowed}", pointer="#/latches")
    if add_budget:
        budgets.add(agent=agent, amounts=add_budget)
        record_agent(agent, "budget.raised", actor=user, added=dict(add_budget))
    _release(agent, kinds or [LatchKind.REVIEWER, LatchKind.BUDGET], user=user, reason=why)
    return _go_on(agent, user)


def release_flag_latch(agent: Agent, *, user: "User", reason: str) -> None:
    """A verdict gives a locked agent back; other latches stay, and a failed agent stays failed. Needs a transaction."""
    if _release(agent, [LatchKind.FLAG], user=user, reason=reason) and agent.state != AgentState.FAILED:
        _go_on(agent, user)


def _release(agent: Agent, kinds: Sequence[str], *, user: "User", reason: str) -> int:
    released = list(Latch.objects.filter(agent=agent, released_at=None, kind__in=kinds))
    for latch in released:
        latch.released_by, latch.released_at, latch.release_reason = user, timezone.now(), reason
        latch.save(update_fields=["released_by", "released_at", "release_reason"])
        record_agent(agent, "agent.released", actor=user, latch=latch.kind, reason=reason)
    return len(released)


def _go_on(agent: Agent, user: "User") -> Agent:
    if agent.state in AGENT_ENDED or Latch.objects.filter(agent=agent, released_at=None).exists():
        return agent
    # asked now: the campaign that came with the agent is as it was before its row was waited for
    if Campaign.objects.filter(pk=agent.campaign_id, state=CampaignState.RUNNING).exists():
        holds.release([agent.user_id])
    if agent.state in (AgentState.PAUSED, AgentState.PAUSING, AgentState.FAILED):
        # PAUSING: a worker still holds it; it goes on as if nothing had been asked
        if agent.state == AgentState.PAUSING and agent.lease_owner:
            return agent
        move_agent(agent, AgentState.READY, actor=user, error="", failures=0)
    dispatch.wake([agent.pk] if agent.researcher != "outside" else [])
    return agent


@transaction.atomic
def stop_agent(*, user: "User", agent_id: int, reason: str) -> Agent:
    """For good: its tokens are revoked first; what is in flight is cancelled by the loop, which sees the state.

    Raises: NotFound, Forbidden, InvalidInput without a reason.
    """
    agent, why = _held_for_review(user, agent_id, reason)
    if agent.state in AGENT_ENDED:
        return agent
    cancel_work(agent, actor=user)
    record_agent(agent, "agent.stopped", actor=user, reason=why)
    end_agent(agent, actor=user)
    return agent


def cancel_work(agent: Agent, *, actor: "User") -> None:
    """A locked agent is about to end: its tokens are revoked first, its unfinished experiments are cancelled.

    Before any event of the campaign: experiments are told in the lab's log first.
    """
    Token.objects.filter(user=agent.user_id, revoked_at=None).update(revoked_at=timezone.now())
    unfinished = Experiment.objects.filter(submitter=agent.user_id).exclude(state__in=EXPERIMENT_TERMINAL)
    for experiment_id in unfinished.order_by("id").values_list("pk", flat=True):
        cancel_experiment(user=actor, experiment_id=experiment_id)


def end_agent(agent: Agent, *, actor: "User") -> None:
    """A locked agent whose work is cancelled ends for good."""
    drop_approvals(agent)
    move_agent(agent, AgentState.STOPPED, actor=actor, error="")


def drop_approvals(agent: Agent) -> None:
    """Calls of an agent that has ended run no more: what waits for an answer, or to be run, is cancelled."""
    open_ones = Approval.objects.filter(agent=agent, state__in=[ApprovalState.PENDING, ApprovalState.APPROVED])
    Action.objects.filter(approval__in=open_ones, state=ActionState.PARKED).update(
        state=ActionState.CANCELLED, finished_at=timezone.now()
    )
    open_ones.update(state=ApprovalState.CANCELLED)


@transaction.atomic
def message_agent(*, user: "User", agent_id: int, text: str) -> Agent:
    """Say something to an agent; it reads it at its next step. Raises: NotFound, Forbidden, InvalidInput."""
    agent = _locked(user, agent_id)
    if not can_message(user):
        raise Forbidden("you may not write to agents")
    if not text.strip() or len(text) > LONGEST_MESSAGE or "\x00" in text:
        raise InvalidInput(f"a message has 1 to {LONGEST_MESSAGE} characters", pointer="#/message")
    if agent.state in AGENT_ENDED:
        raise IllegalTransition(f"agent {agent.name} has {agent.state} and reads no messages")
    append(agent, "user", Entry.Kind.PERSON, [{"type": "text", "text": f"Message from {user.get_username()}: {text}"}])
    record_agent(agent, "message.posted", actor=user, text=text)
    if agent.state == AgentState.WAITING:
        move_agent(agent, AgentState.READY, actor=user)
    if agent.state == AgentState.READY and agent.researcher != "outside":
        dispatch.wake([agent.pk])
    return agent


def _held_for_review(user: "User", agent_id: int, reason: str) -> tuple[Agent, str]:
    """The locked agent, and the reason as it is kept."""
    agent = _locked(user, agent_id)
    if not can_review(user):
        raise Forbidden("you may not pause, resume or stop agents")
    why = check_reason(reason)
    act_as(user, why)
    holds.lock([agent.user_id])
    return agent, why


def _locked(user: "User", agent_id: int) -> Agent:
    visible = Agent.objects.visible_to(user).filter(pk=agent_id).exists()
    row = Agent.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign", "user")
    found = row.filter(pk=agent_id).first() if visible else None
    if found is None:
        raise NotFound(f"no agent {agent_id}")
    return found
