"""Campaigns and agents as lists and pages show them."""

from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch, QuerySet

from agents.models import Agent, Campaign, Entry, Latch
from agents.services.budgets import campaign_budgets
from experiments.errors import NotFound

if TYPE_CHECKING:
    from experiments.permissions import Actor

_OPEN = Prefetch("latches", Latch.objects.filter(released_at=None).order_by("set_at"), to_attr="open_latches")


def campaigns_for(user: "Actor", *, state: str = "") -> QuerySet[Any]:
    """Campaigns a user may see, in a state if one is asked for."""
    found = Campaign.objects.visible_to(user)
    found = found.filter(state=state) if state else found
    return found.select_related("created_by").prefetch_related("benchmarks")


def campaign_of(user: "Actor", campaign_id: int) -> Campaign:
    """Raises: NotFound for an absent campaign and for a hidden one."""
    found: Campaign | None = campaigns_for(user).filter(pk=campaign_id).first()
    if found is None:
        raise NotFound(f"no campaign {campaign_id}")
    return found


def campaign_detail(user: "Actor", campaign_id: int) -> Campaign:
    """With `shown_agents` and `shown_budgets`; an agent is shown itself alone. Raises: NotFound."""
    campaign = campaign_of(user, campaign_id)
    campaign.shown_agents = list(agents_for(user, campaign=campaign_id).order_by("id"))  # type: ignore[attr-defined]
    campaign.shown_budgets = campaign_budgets(campaign)  # type: ignore[attr-defined]
    return campaign


def agents_for(user: "Actor", *, campaign: int | None = None, state: str = "") -> QuerySet[Any]:
    """Agents a user may see, each with its `open_latches`."""
    found = Agent.objects.visible_to(user)
    found = found.filter(campaign_id=campaign) if campaign else found
    found = found.filter(state=state) if state else found
    return found.select_related("user", "campaign").prefetch_related(_OPEN)


def agent_of(user: "Actor", agent_id: int) -> Agent:
    """Raises: NotFound."""
    found: Agent | None = agents_for(user).filter(pk=agent_id).first()
    if found is None:
        raise NotFound(f"no agent {agent_id}")
    return found


def entries_after(agent: Agent, number: int) -> QuerySet[Any]:
    """Its transcript after a number, oldest first."""
    return Entry.objects.filter(agent=agent, number__gt=number).select_related("step").order_by("number")
