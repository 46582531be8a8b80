"""Calls that wait for people, and the rules that made them wait."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from agents.models import Approval, Campaign, Policy
from agents.permissions import can_review, can_view_lab
from agents.services.policies import current_policy
from experiments.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from experiments.permissions import Actor


def approvals_for(user: "Actor", query: Mapping[str, Any]) -> "QuerySet[Approval]":
    """What the filters let through. Raises: Forbidden."""
    if not can_review(user):
        raise Forbidden("you may not read the inbox")
    columns = {"state": "state", "campaign": "agent__campaign", "agent": "agent"}
    plain = {column: query[name] for name, column in columns.items() if query.get(name)}
    return Approval.objects.filter(**plain).select_related("agent", "agent__campaign", "policy", "decided_by", "action")


def approval_of(user: "Actor", approval_id: int) -> Approval:
    """Raises: NotFound, also for whoever may not see the lab; Forbidden."""
    if not can_view_lab(user) or not Approval.objects.filter(pk=approval_id).exists():
        raise NotFound(f"no approval {approval_id}")
    return approvals_for(user, {}).get(pk=approval_id)


def policy_for(user: "Actor", campaign_id: int) -> Policy:
    """The rules in force for a campaign. Raises: NotFound."""
    visible = can_view_lab(user) and Campaign.objects.visible_to(user).filter(pk=campaign_id).exists()
    found = current_policy(campaign_id) if visible else None
    if found is None:
        raise NotFound(f"no policy of campaign {campaign_id}")
    return found
