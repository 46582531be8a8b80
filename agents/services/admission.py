"""Asks the policy about a call before it starts: it goes on, is refused, or is parked until a person has answered."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from agents import gate
from agents.admitted import admitted
from agents.approval_texts import asked_text, denied_text, outcome_text, parked_text
from agents.lifecycle import ActionState, ApprovalState, Effect, LatchKind
from agents.models import Action, Agent, Approval, Policy
from agents.policy import CallFacts, Ruling, call_digest, rule_on
from agents.services.actions import action_digest
from agents.services.approvals import answer_action, move_approval
from agents.services.claims import Claim, held_by
from agents.services.control import set_latch
from agents.services.policies import current_policy
from agents.services.states import record_agent
from agents.tools import TOOLS, Arguments, BadArguments, Tool, parse
from experiments.errors import InvalidInput, LabError, Refused
from experiments.guard import Call
from experiments.models import Experiment
from registry import UnknownName

NO_POLICY = "there is no policy for its campaign: nothing may act until an admin sets one"


@dataclass(frozen=True, slots=True)
class Admission:
    """What becomes of a proposed call. effect: None while the agent is held."""

    effect: str | None
    approval: Approval | None = None


@transaction.atomic
def admit(claim: Claim, action: Action) -> Admission:
    """Ask the policy about a proposed call, before it starts; what is not allowed is answered here.

    Without a policy the agent is held. Raises: LeaseLost.
    """
    agent = held_by(claim)
    if gate.what_holds(agent.pk) is not None:
        return Admission(None)
    policy = current_policy(agent.campaign_id)
    if policy is None:
        set_latch(agent, LatchKind.INCIDENT, reason=NO_POLICY)
        return Admission(None)
    try:
        kind = TOOLS.get(action.tool)
        parsed = parse(kind, action.arguments)
    except (UnknownName, BadArguments):
        return Admission(Effect.ALLOW)  # nothing to rule on, nothing can run: its error tells the model why
    return _admitted(agent, policy, action, kind, parsed)


def _admitted(agent: Agent, policy: Policy, action: Action, kind: type[Tool], parsed: Arguments) -> Admission:
    _spell(agent, action, kind.spelt(parsed))
    ruling, cost = _ruled(agent, policy, kind, parsed)
    if ruling.effect == Effect.ALLOW:
        return Admission(Effect.ALLOW)
    if ruling.effect == Effect.DENY:
        answer_action(action, ActionState.FAILED, denied_text(policy, ruling), is_error=True)
        record_agent(agent, "action.denied", action=action.pk, tool=action.tool, rule=ruling.rule, note=ruling.note)
        return Admission(Effect.DENY)
    try:
        _spell(agent, action, _pinned(agent, kind, parsed))
    except LabError as error:
        answer_action(action, ActionState.FAILED, str(error), is_error=True)
        return Admission(Effect.DENY)
    approval = _ask(agent, policy, ruling, tool=action.tool, arguments=action.arguments, cost=cost, action=action)
    answer_action(action, ActionState.PARKED, parked_text(approval), is_error=False)
    return Admission(Effect.ASK, approval)


def admit_outside(agent: Agent, kind: type[Tool], parsed: Arguments) -> tuple[Arguments, str]:
    """The same for a call from outside, which is made again once it is approved. Needs the agent's row locked.

    The call that is made again is known by its spelling, not by how it was written.
    Returns: the arguments to run, and an empty text; or a text that answers the call in its place.
    """
    policy = current_policy(agent.campaign_id)
    if policy is None:
        return parsed, NO_POLICY
    ruling, cost = _ruled(agent, policy, kind, parsed)
    if ruling.effect == Effect.ALLOW:
        return parsed, ""
    if ruling.effect == Effect.DENY:
        return parsed, denied_text(policy, ruling)
    try:
        asked = _pinned(agent, kind, parsed)
    except LabError as error:
        return parsed, str(error)
    rows = Approval.objects.select_for_update(of=("self",)).filter(
        agent=agent, action=None, tool=kind.name, arguments=asked, policy=policy, told_at=None
    )
    approval = rows.order_by("-id").first()
    if approval is None:
        approval = _ask(agent, policy, ruling, tool=kind.name, arguments=asked, cost=cost, action=None)
    return _answered(approval, kind, parsed)


def _answered(approval: Approval, kind: type[Tool], parsed: Arguments) -> tuple[Arguments, str]:
    """What people have said of a call that is made again."""
    if approval.state == ApprovalState.PENDING:
        return parsed, parked_text(approval)
    now = timezone.now()
    Approval.objects.filter(pk=approval.pk).update(told_at=now)
    if approval.state == ApprovalState.APPROVED and move_approval(approval.pk, ApprovalState.USED, used_at=now):
        return parse(kind, approval.to_run), ""
    return parsed, outcome_text(approval)


def check_by_policy(agent: Agent, call: Call) -> None:
    """A write that comes by REST, under the rules of the tool that does the same; ruled by its name if there is none.

    REST has no call that could be parked: what people want to be asked about is called by MCP.
    Raises: Refused; InvalidInput for what the tool would not take.
    """
    policy = current_policy(agent.campaign_id)
    if policy is None:
        raise Refused(NO_POLICY)
    has_tool = call.tool in TOOLS.names()
    if has_tool:
        kind = TOOLS.get(call.tool)
        try:
            ruling, _ = _ruled(agent, policy, kind, parse(kind, call.arguments))
        except BadArguments as error:
            raise InvalidInput(str(error)) from None
    else:
        ruling = rule_on(policy.rules, CallFacts(call.tool, call.arguments, call.cost, first_code=False))
    if ruling.effect == Effect.DENY:
        raise Refused(denied_text(policy, ruling))
    if ruling.effect == Effect.ASK:
        raise Refused(asked_text(call.tool, by_mcp=has_tool))


def _ruled(agent: Agent, policy: Policy, kind: type[Tool], parsed: Arguments) -> tuple[Ruling, dict[str, int]]:
    """The policy's answer to the call as it would run, and what it may cost."""
    cost = dict(kind.cost(agent, parsed))
    facts = CallFacts(kind.name, kind.spelt(parsed), cost, _first_code(agent, kind, parsed))
    return rule_on(policy.rules, facts), cost


def _spell(agent: Agent, action: Action, arguments: dict[str, Any]) -> None:
    """What stands in the row is what was ruled on and what runs; the transcript has the model's own words."""
    if action.arguments != arguments:
        action.arguments, action.digest = arguments, action_digest(agent, action.tool, arguments)
        action.save(update_fields=["arguments", "digest"])


def _pinned(agent: Agent, kind: type[Tool], parsed: Arguments) -> dict[str, Any]:
    """The spelling of a call that means tomorrow what it means now: people approve of what they have seen.

    Raises: LabError.
    """
    with admitted():  # what keeps the code is the lab's doing, not a write of the agent's
        pinned = kind.pinned(agent, parsed)
    return kind.spelt(parsed if pinned is None else parse(kind, pinned))


def _first_code(agent: Agent, kind: type[Tool], parsed: Any) -> bool:
    before = Experiment.objects.filter(submitter=agent.user_id, snapshot__isnull=False)
    return kind.runs_code(parsed) and not before.exists()


def _ask(
    agent: Agent, policy: Policy, ruling: Ruling, *, tool: str, arguments: dict[str, Any], cost: dict[str, int],
    action: Action | None,
) -> Approval:  # fmt: skip
    approval = Approval.objects.create(
        action=action, agent=agent, policy=policy, tool=tool, arguments=arguments, rule=ruling.rule,
        digest=call_digest(tool=tool, arguments=arguments, agent=agent.pk, policy=policy.pk), why=ruling.note,
        cost=cost, expires_at=timezone.now() + timedelta(seconds=policy.approval_seconds),
    )  # fmt: skip
    record_agent(agent, "approval.requested", approval=approval.pk, tool=tool, why=ruling.note)
    return approval
