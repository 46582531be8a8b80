"""What agents read about calls that a policy parks, forbids or a person has answered."""

from typing import TYPE_CHECKING

from agents.lifecycle import ApprovalState

if TYPE_CHECKING:
    from agents.models import Approval, Policy
    from agents.policy import Ruling


def outcome_text(approval: "Approval") -> str:
    """What the agent reads."""
    who = approval.decided_by.get_username() if approval.decided_by else "nobody"
    head = f"Approval {approval.pk}, your call of {approval.tool}:"
    note = f" Note: {approval.note}" if approval.note else ""
    if approval.state == ApprovalState.REFUSED:
        return f"{head} refused by {who}.{note}"
    if approval.state == ApprovalState.EXPIRED:
        why = "the policy changed after it was approved" if approval.decided_by else "nobody answered in time"
        return f"{head} expired: {why}. That is no refusal; ask again if you still want it."
    edited = f" The arguments were changed to {approval.edited_arguments}." if approval.edited_arguments else ""
    result = approval.action.result if approval.action else ""
    return f"{head} approved by {who}.{edited}{note}\nIts result:\n{result or '(no output)'}"


def parked_text(approval: "Approval") -> str:
    """What the agent reads in place of a result."""
    why = f" ({approval.why})" if approval.why else ""
    inside = approval.action_id is not None
    then = "It runs by itself when it is approved, and you are told." if inside else "Make the same call again later."
    waits = f"This call waits for a person's approval (approval {approval.pk}{why})."
    return f"{waits} {then} Go on with other work meanwhile."


def denied_text(policy: "Policy", ruling: "Ruling") -> str:
    """What the agent reads of a call that the policy forbids."""
    why = ruling.note or "no reason given"
    return f"not allowed by rule {ruling.rule} of the policy (version {policy.version}): {why}"


def asked_text(tool: str, *, by_mcp: bool) -> str:
    """What an agent reads of a write by REST that people are to be asked about."""
    then = "call it by MCP, where a call can wait" if by_mcp else "no call of it can wait: ask people for a rule"
    return f"the campaign's policy asks a person about {tool} first: {then}"
