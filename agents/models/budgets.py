"""What a campaign and its agents may spend, what is held for calls in flight, and what calls cost."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q

from agents.lifecycle import BudgetKind
from agents.models.agents import Agent
from agents.models.campaigns import Campaign


class Budget(models.Model):
    """One kind of spending: of a whole campaign, or of one agent within it. No row means no limit of that kind.

    Units follow the kind: micro-dollars, tokens, seconds, queries. reserved: held for what is in flight.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="budgets")
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.PROTECT, related_name="budgets")
    kind = models.CharField(max_length=12, choices=BudgetKind)
    limit = models.PositiveBigIntegerField()
    reserved = models.PositiveBigIntegerField(default=0)
    spent = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["campaign", "agent", "kind"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["campaign", "agent", "kind"], nulls_distinct=False, name="budget_kind_unique"
            ),
            # the last line of defence: no code path can hold more than there is
            models.CheckConstraint(condition=Q(reserved__lte=F("limit")), name="budget_reserved_within_limit"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {f'agent {self.agent_id}' if self.agent_id else f'campaign {self.campaign_id}'}"

    @property
    def left(self) -> int:
        """What may still be reserved; never below zero."""
        return max(self.limit - self.spent - self.reserved, 0)


class Reservation(models.Model):
    """An amount held before a call and settled after it; its key makes both happen once.

    spent: None while it is held.
    """

    key = models.CharField(max_length=120)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="reservations")
    kind = models.CharField(max_length=12, choices=BudgetKind)
    amount = models.PositiveBigIntegerField()
    spent = models.PositiveBigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["key", "kind"], name="reservation_key_unique")]
        indexes: ClassVar = [models.Index(fields=["agent"], condition=Q(spent__isnull=True), name="reservation_held")]
        triggers: ClassVar = [pgtrigger.Protect(name="reservation_kept", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.key}: {self.amount} {self.kind}"


class Price(models.Model):
    """What a model costs, in micro-dollars per million tokens (so 5_000_000 is $5).

    model: a model's name, or a beginning of one that ends in *; the longest that fits counts.
    """

    model = models.CharField(max_length=80, unique=True)
    input = models.PositiveBigIntegerField()
    output = models.PositiveBigIntegerField()
    cache_read = models.PositiveBigIntegerField()
    cache_write = models.PositiveBigIntegerField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["model"]

    def __str__(self) -> str:
        return self.model
