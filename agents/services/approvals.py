"""Calls that people are asked about: approved or refused, run once as approved, told, or expired.

Lock order: the agent's row, then its approvals. Whoever holds the agent's row decides alone, so an approval cannot be
given to an agent that is being stopped, and a double click finds the first one's answer.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from agents import dispatch, gate
from agents.approval_texts import outcome_text
from agents.lifecycle import (
    AGENT_ENDED,
    APPROVAL_TRANSITIONS,
    ActionState,
    AgentState,
    ApprovalState,
)
from agents.models import Action, Agent, Approval, Entry
from agents.permissions import can_review
from agents.policy import call_digest
from agents.services.claims import INTERRUPTED, Claim, held_by
from agents.services.policies import current_policy
from agents.services.states import move_agent, record_agent
from agents.services.transcript import append
from agents.tools import TOOLS, BadArguments, parse
from experiments.acting import act_as
from experiments.errors import Forbidden, IllegalTransition, InvalidInput, NotFound
from experiments.lifecycle import sources
from experiments.texts import check_reason
from registry import UnknownName

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_SETTLED = [ApprovalState.APPROVED, ApprovalState.REFUSED, ApprovalState.EXPIRED, ApprovalState.USED]


@transaction.atomic
def approve(
    *, user: "User", approval_id: int, note: str = "", edited_arguments: Mapping[str, Any] | None = None
) -> Approval:
    """Let the call run, once, as it was asked or with other arguments; the note reaches the agent.

    The same again is harmless. Raises: NotFound, Forbidden, InvalidInput, IllegalTransition.
    """
    approval = _locked(user, approval_id)
    edited = None
    if edited_arguments is not None:
        spelt = _spelt(approval.tool, edited_arguments)
        edited = None if spelt == approval.arguments else spelt
    given = ApprovalState.APPROVED, ApprovalState.USED
    if approval.state in given and approval.edited_arguments == edited:
        return approval
    _decide(approval, ApprovalState.APPROVED, user, note)
    approval.edited_arguments = edited
    approval.digest = call_digest(
        tool=approval.tool, arguments=approval.to_run, agent=approval.agent_id, policy=approval.policy_id
    )
    approval.save(update_fields=["edited_arguments", "digest"])
    _wake(approval)
    return approval


@transaction.atomic
def refuse(*, user: "User", approval_id: int, note: str) -> Approval:
    """Say no, and why; the note reaches the agent. The same again is harmless.

    Raises: NotFound, Forbidden, InvalidInput without a note, IllegalTransition.
    """
    approval = _locked(user, approval_id)
    if approval.state == ApprovalState.REFUSED:
        return approval
    _decide(approval, ApprovalState.REFUSED, user, note)
    _wake(approval)
    return approval


@transaction.atomic
def expire_due() -> int:
    """Approvals that nobody answered in time. Returns: how many."""
    due = Approval.objects.filter(state=ApprovalState.PENDING, expires_at__lte=timezone.now()).order_by("id")
    expired = 0
    for approval_id, agent_id in list(due.values_list("pk", "agent_id")[:500]):
        agent = Agent.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign").get(pk=agent_id)
        to = ApprovalState.CANCELLED if agent.state in AGENT_ENDED else ApprovalState.EXPIRED
        if move_approval(approval_id, to):
            expired += 1
            record_agent(agent, f"approval.{to}", approval=approval_id)
            _wake_agent(agent)
    return expired


def untold(agent: Agent) -> list[Approval]:
    """What has become of the agent's calls since it was last told, oldest first."""
    rows = Approval.objects.filter(agent=agent, told_at=None, state__in=_SETTLED, action__isnull=False)
    return list(rows.select_related("action", "action__step", "decided_by", "policy").order_by("id"))


@transaction.atomic
def use(claim: Claim, approval: Approval) -> Action | None:
    """Begin the approved call: once, and only if it is still the call that was approved.

    Returns: its action, with the arguments to run; None if it may not run: then the approval has expired, or the agent
    is held now. Raises: LeaseLost.
    """
    agent = held_by(claim)
    if gate.what_holds(agent.pk) is not None:
        return None
    policy = current_policy(agent.campaign_id)
    row = Approval.objects.select_for_update(of=("self",)).select_related("action", "action__step").get(pk=approval.pk)
    digest = call_digest(tool=row.tool, arguments=row.to_run, agent=agent.pk, policy=policy.pk if policy else 0)
    action = row.action
    if action is None or digest != row.digest or action.tool != row.tool or action.arguments != row.arguments:
        move_approval(row.pk, ApprovalState.EXPIRED)
        return None
    now = timezone.now()
    if not move_approval(row.pk, ApprovalState.USED, used_at=now):
        return None
    started = Action.objects.filter(pk=action.pk, state=ActionState.PARKED)
    if not started.update(state=ActionState.RUNNING, started_at=now, finished_at=None, result=""):
        raise IllegalTransition(f"action {action.pk} is not parked")
    action.state, action.started_at, action.arguments = ActionState.RUNNING, now, row.to_run
    Agent.objects.filter(pk=agent.pk).update(doing=f"{action.tool} (approved)"[:200])
    record_agent(agent, "action.started", action=action.pk, tool=action.tool, approval=row.pk)
    return action


@transaction.atomic
def tell(claim: Claim, approval: Approval) -> None:
    """Write what became of it into the transcript, once. Raises: LeaseLost."""
    agent = held_by(claim)
    row = Approval.objects.select_related("action", "decided_by", "policy").get(pk=approval.pk)
    if row.told_at is not None:
        return
    action = row.action
    if row.state == ApprovalState.USED and action is not None and action.state == ActionState.RUNNING:
        # a worker died while it ran: reported, never repeated
        answer_action(action, ActionState.INTERRUPTED, INTERRUPTED, is_error=True)
    elif row.state in (ApprovalState.REFUSED, ApprovalState.EXPIRED) and action is not None:
        Action.objects.filter(pk=action.pk, state=ActionState.PARKED).update(
            state=ActionState.CANCELLED, result=outcome_text(row), finished_at=timezone.now()
        )
    append(agent, "user", Entry.Kind.NEWS, [{"type": "text", "text": outcome_text(row)}])
    Approval.objects.filter(pk=row.pk).update(told_at=timezone.now())


def answer_action(action: Action, state: str, text: str, *, is_error: bool) -> None:
    """What stands in place of a result, for a call that did not run to its end."""
    finished = None if state == ActionState.PARKED else timezone.now()
    Action.objects.filter(pk=action.pk, state__in=[ActionState.PROPOSED, ActionState.RUNNING]).update(
        state=state, result=text, is_error=is_error, finished_at=finished
    )
    action.state, action.result, action.is_error = state, text, is_error


def _decide(approval: Approval, to: str, user: "User", note: str) -> None:
    """Raises: InvalidInput, IllegalTransition."""
    said = check_reason(note, pointer="#/note") if note.strip() or to == ApprovalState.REFUSED else ""
    now = timezone.now()
    if approval.state == ApprovalState.PENDING and approval.expires_at <= now:
        raise IllegalTransition(f"approval {approval.pk} has expired")
    if approval.agent.state in AGENT_ENDED:
        raise IllegalTransition(f"agent {approval.agent.name} has {approval.agent.state}: its calls run no more")
    if to not in APPROVAL_TRANSITIONS[approval.state]:
        raise IllegalTransition(f"approval {approval.pk} is {approval.state} and cannot become {to}")
    if not move_approval(approval.pk, to, decided_by=user, decided_at=now, note=said):
        raise IllegalTransition(f"approval {approval.pk} was answered by somebody else")
    approval.state, approval.decided_by, approval.decided_at, approval.note = to, user, now, said
    record_agent(approval.agent, f"approval.{to}", actor=user, approval=approval.pk, tool=approval.tool, note=said)


def move_approval(approval_id: int, to: str, **fields: Any) -> int:
    """A guarded UPDATE: 0 if it is not in a state that leads there."""
    return Approval.objects.filter(pk=approval_id, state__in=sources(APPROVAL_TRANSITIONS, to)).update(
        state=to, **fields
    )


def _wake(approval: Approval) -> None:
    _wake_agent(approval.agent)


def _wake_agent(agent: Agent) -> None:
    """Whoever waits looks at once what became of the call; whoever is held sees it when it goes on."""
    if agent.state == AgentState.WAITING and gate.what_holds(agent.pk) is None:
        move_agent(agent, AgentState.READY)
    if agent.state == AgentState.READY and agent.researcher != "outside":
        dispatch.wake([agent.pk])


def _spelt(tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """In the one spelling that a call has. Raises: InvalidInput."""
    try:
        kind = TOOLS.get(tool)
        return kind.spelt(parse(kind, arguments))
    except (UnknownName, BadArguments) as error:
        raise InvalidInput(str(error), pointer="#/edited_arguments") from None


def _locked(user: "User", approval_id: int) -> Approval:
    """The agent's row is locked first, then the approval's. Raises: NotFound, Forbidden."""
    visible = Agent.objects.visible_to(user)
    found = Approval.objects.filter(pk=approval_id, agent__in=visible).values_list("agent_id", flat=True).first()
    if found is None or not (user.has_perm("experiments.view_lab")):
        raise NotFound(f"no approval {approval_id}")
    if not can_review(user):
        raise Forbidden("you may not answer approvals")
    act_as(user)
    agent = Agent.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign", "user").get(pk=found)
    approval = Approval.objects.select_for_update(of=("self",)).get(pk=approval_id)
    approval.agent = agent
    return approval
