"""May this agent still act? Asked before every model call, at every streamed chunk, and before every action."""

from datetime import datetime

from django.utils import timezone

from agents.errors import Held
from agents.lifecycle import CampaignState
from agents.models import Agent, Latch
from experiments.models import Event


def check(agent_id: int) -> None:
    """Raises: Held, which says by what and since when."""
    held = what_holds(agent_id)
    if held is not None:
        raise held


def what_holds(agent_id: int) -> Held | None:
    """The gravest thing that holds an agent; None if it may act. An agent that does not exist may not."""
    row = (
        Agent.objects.filter(pk=agent_id)
        .values("state", "state_since", "campaign__state", "campaign__reason", "campaign__deadline", "campaign_id")
        .first()
    )
    if row is None:
        return Held("there is no such agent", latch="absent", since=None)
    if row["state"] in ("stopped", "finished"):
        return Held(f"the agent has {row['state']}", latch=row["state"], since=row["state_since"])
    if row["campaign__state"] != CampaignState.RUNNING:
        why = f": {row['campaign__reason']}" if row["campaign__reason"] else ""
        since = campaign_since(row["campaign_id"])
        return Held(f"the campaign is {row['campaign__state']}{why}", latch=row["campaign__state"], since=since)
    deadline = row["campaign__deadline"]
    if deadline is not None and deadline <= timezone.now():
        return Held("the campaign's deadline has passed", latch="deadline", since=deadline)
    latch = Latch.objects.filter(agent_id=agent_id, released_at=None).order_by("-now", "id").first()
    if latch is not None:
        return Held(f"paused ({latch.kind}): {latch.reason}", latch=latch.kind, since=latch.set_at)
    return None


def campaign_since(campaign_id: int) -> datetime | None:
    """When a campaign came into its state, as its log has it; None for a draft."""
    moved = Event.objects.filter(subject=f"campaign:{campaign_id}", kind="campaign.state").order_by("-id")
    return moved.values_list("created_at", flat=True).first()


def cancel_at_once(agent_id: int) -> bool:
    """Whether what is in flight is to be cancelled, too: pause now, stop, an ended campaign."""
    if Latch.objects.filter(agent_id=agent_id, released_at=None, now=True).exists():
        return True
    ended = ("stopped", "finished")
    return Agent.objects.filter(pk=agent_id, state="stopped").exists() or (
        Agent.objects.filter(pk=agent_id, campaign__state__in=ended).exists()
    )
