"""What agents may do by themselves, and the calls that people are asked about."""

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents.lifecycle import ApprovalState
from agents.models.activity import Action
from agents.models.agents import Agent
from agents.models.campaigns import Campaign
from experiments.triggers import append_only, changed

_USER = settings.AUTH_USER_MODEL
_ASKED = ("id", "action_id", "agent_id", "policy_id", "tool", "arguments", "rule", "why", "cost", "requested_at")


class Policy(models.Model):
    """One version of the rules of a campaign, or of the lab's default; the newest counts, the others stay."""

    campaign = models.ForeignKey(Campaign, null=True, blank=True, on_delete=models.PROTECT, related_name="policies")
    version = models.PositiveIntegerField()
    rules = models.JSONField(help_text="The first rule that fits decides: allow, ask or deny")
    hold_flags = models.BooleanField(default=False, help_text="A detector's flag holds here, as a hold does")
    approval_seconds = models.PositiveIntegerField(default=86_400, help_text="After so long an approval expires")
    reason = models.TextField()
    made_by = models.ForeignKey(_USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "policies"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "version"], nulls_distinct=False, name="policy_version_unique")
        ]
        triggers: ClassVar = [append_only("policy_append_only")]

    def __str__(self) -> str:
        whose = f"campaign {self.campaign_id}" if self.campaign_id else "the lab"
        return f"policy {self.version} of {whose}"


class Approval(models.Model):
    """A call that waits for a person. It holds for exactly this call of this agent under this policy, once.

    digest: of tool, arguments as they would be run, agent, policy. action: none for a call from outside, which is made
    again. told_at: when the agent was told what became of it.
    """

    action = models.OneToOneField(Action, null=True, on_delete=models.PROTECT, related_name="approval")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="approvals")
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="approvals")
    tool = models.CharField(max_length=60)
    arguments = models.JSONField(help_text="As the agent asked")
    edited_arguments = models.JSONField(null=True, help_text="As a person would have it")
    digest = models.CharField(max_length=64)
    rule = models.PositiveSmallIntegerField(help_text="Of the policy, from 1; 0: none fitted")
    why = models.TextField(blank=True, help_text="The rule's note")
    cost = models.JSONField(default=dict, help_text="Upper estimate by kind of budget")
    requested_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=ApprovalState, default=ApprovalState.PENDING)
    decided_by = models.ForeignKey(_USER, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True, help_text="For the agent")
    used_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], condition=Q(state=ApprovalState.PENDING), name="approval_pending"),
            models.Index(fields=["agent"], condition=Q(told_at__isnull=True), name="approval_untold"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=ApprovalState.values), name="approval_state_known"),
            models.CheckConstraint(
                condition=~Q(state=ApprovalState.USED) | Q(used_at__isnull=False), name="approval_used_when"
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="approval_kept", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="approval_asked_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(changed(*_ASKED)),
            ),
            pgtrigger.Protect(
                name="approval_single_use",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.used_at IS NOT NULL AND " + changed("state", "used_at", "digest", "edited_arguments")
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"approval {self.pk}: {self.tool} of agent {self.agent_id}"

    @property
    def to_run(self) -> dict:
        """The arguments that would be run."""
        found: dict = self.arguments if self.edited_arguments is None else self.edited_arguments
        return found
