"""Moves campaigns and agents from state to state: the only writers of `state`, each a guarded UPDATE and its event.

Lock order: the campaign's row, the agent's, its experiments by id, its latches, budgets; the event counters last.
"""

from typing import TYPE_CHECKING, Any

from django.utils import timezone

from agents.lifecycle import AGENT_TRANSITIONS, AT_WORK, CAMPAIGN_TRANSITIONS, AgentState
from agents.models import Agent, Campaign
from experiments import events
from experiments.errors import IllegalTransition
from experiments.lifecycle import sources

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_NO_LEASE = {"lease_owner": "", "lease_until": None}


def move_campaign(campaign: Campaign, to: str, *, actor: "User | None", reason: str = "", **fields: Any) -> None:
    """One campaign. Needs a transaction. Raises: IllegalTransition."""
    allowed = sources(CAMPAIGN_TRANSITIONS, to)
    if not Campaign.objects.filter(pk=campaign.pk, state__in=allowed).update(state=to, reason=reason, **fields):
        raise IllegalTransition(f"campaign {campaign.pk} is {campaign.state} and cannot become {to}")
    campaign.state, campaign.reason = to, reason
    record(campaign.pk, "campaign.state", f"campaign:{campaign.pk}", actor=actor, state=to, reason=reason)


def move_agent(agent: Agent, to: str, *, actor: "User | None" = None, **fields: Any) -> None:
    """One agent; states that no worker holds lose their lease. Needs a transaction. Raises: IllegalTransition."""
    if to not in AT_WORK:
        fields = {**_NO_LEASE, **fields}
    fields.setdefault("doing", "")
    now = timezone.now()
    allowed = sources(AGENT_TRANSITIONS, to)
    if not Agent.objects.filter(pk=agent.pk, state__in=allowed).update(state=to, state_since=now, **fields):
        raise IllegalTransition(f"agent {agent.pk} is {agent.state} and cannot become {to}")
    agent.state, agent.state_since = to, now
    for name, value in fields.items():
        setattr(agent, name, value)
    record_agent(agent, "agent.state", actor=actor, state=to, doing=agent.doing)


def record_agent(agent: Agent, kind: str, *, actor: "User | None" = None, **told: Any) -> None:
    """An event about one agent, in its campaign's log."""
    record(agent.campaign_id, kind, f"agent:{agent.pk}", actor=actor, agent=agent.pk, name=agent.name, **told)


def record(campaign: int, kind: str, subject: str, *, actor: "User | None" = None, **told: Any) -> None:
    """An event in a campaign's log. told: what every viewer may see."""
    events.record(kind, subject, actor=actor, campaign=campaign, payload={"campaign": campaign, **told})


AGENT_IDLE = [AgentState.READY, AgentState.WAITING, AgentState.FAILED]
"""Nothing is in flight: a pause of these is confirmed at once."""
