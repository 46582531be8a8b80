"""A campaign: agents at work on benchmarks, within budgets and until a deadline."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.lifecycle import CampaignState
from agents.querysets import CampaignQuerySet
from experiments.models import Benchmark


class Campaign(models.Model):
    """Its number is its id: events of the campaign are counted under it."""

    name = models.CharField(max_length=120)
    brief = models.TextField(blank=True, help_text="What all its agents are told beside their own direction")
    benchmarks = models.ManyToManyField(Benchmark, related_name="campaigns")
    state = models.CharField(max_length=10, choices=CampaignState, default=CampaignState.DRAFT)
    reason = models.TextField(blank=True, help_text="Why it was frozen, stopped or finished")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="campaigns")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=CampaignState.values), name="campaign_state_known")
        ]

    def __str__(self) -> str:
        return f"campaign {self.pk}: {self.name}"

    @property
    def benchmark_slugs(self) -> list[str]:
        """Slugs of its benchmarks; prefetch them for lists."""
        return sorted(each.slug for each in self.benchmarks.all())
