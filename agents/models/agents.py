"""An agent of a campaign, and the latches that hold it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.lifecycle import AgentState, LatchKind
from agents.models.campaigns import Campaign
from agents.querysets import AgentQuerySet
from experiments.leased import Lease

RESEARCHERS = [("claude", "Claude"), ("search", "Search"), ("outside", "Outside agent")]


class Agent(Lease):
    """Who does research in a campaign: a model driven by the lab's loop, the search researcher, or an outsider.

    It acts as `user`, an account with the role agent, whoever drives it.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="agents")
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="agent")
    name = models.CharField(max_length=80)
    researcher = models.CharField(max_length=10, choices=RESEARCHERS)
    model = models.CharField(max_length=80, blank=True, help_text="Name of the language model; empty for search")
    direction = models.CharField(max_length=60, help_text="Short name of its starting point")
    brief = models.TextField(help_text="The starting point in words, deliberately vague")
    seed = models.BigIntegerField(help_text="Randomness of the search researcher")

    state = models.CharField(max_length=10, choices=AgentState, default=AgentState.READY)
    state_since = models.DateTimeField(auto_now_add=True)
    doing = models.CharField(max_length=200, blank=True, help_text="In words, for its card")
    wake_at = models.DateTimeField(null=True, blank=True, help_text="When a waiting one looks again by itself")
    waits_for = models.JSONField(default=list, help_text="Experiment ids")
    steps_done = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0, help_text="Failed model calls in a row")
    error = models.TextField(blank=True)
    seen_event = models.PositiveBigIntegerField(default=0, help_text="Last event it was told of")
    seen_finding = models.PositiveBigIntegerField(default=0, help_text="Last finding it was told of")

    objects = AgentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "name"], name="agent_name_unique"),
            models.CheckConstraint(condition=Q(state__in=AgentState.values), name="agent_state_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["state", "wake_at"], name="agent_due")]

    def __str__(self) -> str:
        return f"agent {self.pk}: {self.name}"


class Latch(models.Model):
    """Something that holds an agent until it is released; one of each kind at a time."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="latches")
    kind = models.CharField(max_length=10, choices=LatchKind)
    now = models.BooleanField(default=False, help_text="Cancels the call in flight, too")
    reason = models.TextField()
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField(auto_now_add=True)
    confirmed_at = models.DateTimeField(null=True, help_text="When the loop said that nothing runs any more")
    released_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    released_at = models.DateTimeField(null=True)
    release_reason = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "latches"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["agent", "kind"], condition=Q(released_at__isnull=True), name="latch_one_of_a_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} latch on agent {self.agent_id}"
