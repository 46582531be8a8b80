"""Asks the policy about a call before it starts: it goes on, is refused, or is parked until a person has answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from agents import gate
from agents.approval_texts import denied_text, outcome_text, parked_text
from agents.lifecycle import ActionState, ApprovalState, BudgetKind, Effect, LatchKind
from agents.models import Action, Agent, Approval, Policy
from agents.policy import CallFacts, Ruling, call_digest, rule_on
from agents.services.approvals import answer_action, move_approval
from agents.services.claims import Claim, held_by
from agents.services.control import set_latch
from agents.services.gpu_time import SECONDS_PER_SEED
from agents.services.policies import current_policy
from agents.services.states import record_agent
from agents.tools import TOOLS, BadArguments, Tool, parse
from experiments.errors import LabError, Refused
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
    ruling, cost = _ruled(agent, policy, action.tool, action.arguments)
    if ruling.effect == Effect.ALLOW:
        return Admission(Effect.ALLOW)
    if ruling.effect == Effect.DENY:
        answer_action(action, ActionState.FAILED, denied_text(policy, ruling), is_error=True)
        record_agent(agent, "action.denied", action=action.pk, tool=action.tool, rule=ruling.rule, note=ruling.note)
        return Admission(Effect.DENY)
    try:
        _pin(agent, action)
    except LabError as error:
        answer_action(action, ActionState.FAILED, str(error), is_error=True)
        return Admission(Effect.DENY)
    approval = _ask(agent, policy, ruling, tool=action.tool, arguments=action.arguments, cost=cost, action=action)
    answer_action(action, ActionState.PARKED, parked_text(approval), is_error=False)
    return Admission(Effect.ASK, approval)


def admit_outside(agent: Agent, tool: str, given: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The same for a call from outside, which is made again once it is approved. Needs the agent's row locked.

    Returns: the arguments to run, and an empty text; or a text that answers the call in its place.
    """
    policy = current_policy(agent.campaign_id)
    if policy is None:
        return given, NO_POLICY
    ruling, cost = _ruled(agent, policy, tool, given)
    if ruling.effect == Effect.ALLOW:
        return given, ""
    if ruling.effect == Effect.DENY:
        return given, denied_text(policy, ruling)
    rows = Approval.objects.select_for_update(of=("self",)).filter(
        agent=agent, action=None, tool=tool, arguments=dict(given), policy=policy, told_at=None
    )
    approval = rows.order_by("-id").first()
    if approval is None:
        approval = _ask(agent, policy, ruling, tool=tool, arguments=given, cost=cost, action=None)
    if approval.state == ApprovalState.PENDING:
        return given, parked_text(approval)
    now = timezone.now()
    Approval.objects.filter(pk=approval.pk).update(told_at=now)
    if approval.state == ApprovalState.APPROVED and move_approval(approval.pk, ApprovalState.USED, used_at=now):
        return approval.to_run, ""
    return given, outcome_text(approval)


def check_by_policy(agent: Agent, experiment: Experiment) -> None:
    """What an outside agent submits by REST, under the rules of submit_experiment. Raises: Refused.

    REST has no call that could be parked: what people want to be asked about is submitted by MCP.
    """
    arguments = {
        "benchmark": experiment.benchmark.slug, "options": experiment.options, "title": experiment.title,
        "hypothesis": experiment.hypothesis, "seeds": experiment.seeds, "method": experiment.method.name,
        **({"snapshot": experiment.snapshot_id} if experiment.snapshot_id else {}),
    }  # fmt: skip
    policy = current_policy(agent.campaign_id)
    if policy is None:
        raise Refused(NO_POLICY)
    earlier = Experiment.objects.filter(submitter=agent.user_id, snapshot__isnull=False).exclude(pk=experiment.pk)
    cost = {BudgetKind.GPU_SECONDS.value: SECONDS_PER_SEED[experiment.benchmark.student] * experiment.seeds}
    first_code = experiment.snapshot_id is not None and not earlier.exists()
    ruling = rule_on(policy.rules, CallFacts("submit_experiment", arguments, cost, first_code))
    if ruling.effect == Effect.DENY:
        raise Refused(denied_text(policy, ruling))
    if ruling.effect == Effect.ASK:
        raise Refused("the campaign's policy asks a person about this first: submit it by MCP, where a call can wait")


def _ruled(agent: Agent, policy: Policy, tool: str, arguments: Mapping[str, Any]) -> tuple[Ruling, dict[str, int]]:
    """The policy's answer; a call that cannot be read is let through to the tool, whose error tells the model why."""
    try:
        kind = TOOLS.get(tool)
        parsed = parse(kind, arguments)
    except (UnknownName, BadArguments):
        return rule_on(policy.rules, CallFacts(tool, arguments, {}, first_code=False)), {}
    cost = dict(kind.cost(agent, parsed))
    return rule_on(policy.rules, CallFacts(tool, arguments, cost, _first_code(agent, kind, parsed))), cost


def _pin(agent: Agent, action: Action) -> None:
    """Make a call mean tomorrow what it means now: people approve of what they have seen. Raises: LabError."""
    try:
        kind = TOOLS.get(action.tool)
        pinned = kind.pinned(agent, parse(kind, action.arguments))
    except (UnknownName, BadArguments):
        return
    if pinned is not None:
        action.arguments = dict(pinned)
        action.save(update_fields=["arguments"])


def _first_code(agent: Agent, kind: type[Tool], parsed: Any) -> bool:
    before = Experiment.objects.filter(submitter=agent.user_id, snapshot__isnull=False)
    return kind.runs_code(parsed) and not before.exists()


def _ask(
    agent: Agent, policy: Policy, ruling: Ruling, *, tool: str, arguments: Mapping[str, Any], cost: dict[str, int],
    action: Action | None,
) -> Approval:  # fmt: skip
    approval = Approval.objects.create(
        action=action, agent=agent, policy=policy, tool=tool, arguments=dict(arguments), rule=ruling.rule,
        digest=call_digest(tool=tool, arguments=arguments, agent=agent.pk, policy=policy.pk), why=ruling.note,
        cost=cost, expires_at=timezone.now() + timedelta(seconds=policy.approval_seconds),
    )  # fmt: skip
    record_agent(agent, "approval.requested", approval=approval.pk, tool=tool, why=ruling.note)
    return approval
