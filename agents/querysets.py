"""Reusable filters over campaigns and agents."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q

from agents.lifecycle import AT_WORK, AgentState

if TYPE_CHECKING:
    from experiments.permissions import Actor


class CampaignQuerySet(models.QuerySet[Any]):
    """Filters over campaigns."""

    def visible_to(self, user: "Actor") -> "CampaignQuerySet":
        """People see every campaign; an agent sees its own."""
        if not user.is_authenticated:
            return self.none()
        if user.has_perm("experiments.view_lab"):
            return self.all()
        return self.filter(agents__user=user)


class AgentQuerySet(models.QuerySet[Any]):
    """Filters over agents."""

    def visible_to(self, user: "Actor") -> "AgentQuerySet":
        """People see every agent; an agent sees itself."""
        if not user.is_authenticated:
            return self.none()
        if user.has_perm("experiments.view_lab"):
            return self.all()
        return self.filter(user=user)

    def due(self, now: datetime) -> "AgentQuerySet":
        """The lab's own agents with something to do: ready, woken by the clock, or left behind by a dead worker."""
        idle = Q(state=AgentState.READY) | Q(state=AgentState.WAITING, wake_at__lte=now)
        left = Q(state__in=AT_WORK, lease_until__lt=now)
        return self.exclude(researcher="outside").filter(idle | left)
