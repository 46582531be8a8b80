"""A flag, the votes on it, and the decisions they led to."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from agents.models import Agent, Campaign
from experiments.models import Experiment, Upload
from forum.models import Finding
from oversight.lifecycle import REOPENED, FlagState, Level, Source, Verdict
from oversight.models.detectors import Calibration
from oversight.querysets import FlagQuerySet
from oversight.triggers import GUARD

_USER = settings.AUTH_USER_MODEL


class Flag(models.Model):
    """A suspicion with its evidence, about one experiment, agent, upload or finding; only its handling changes."""

    experiment = models.ForeignKey(
        Experiment, null=True, blank=True, on_delete=models.PROTECT, related_name="flags_raised"
    )
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.PROTECT, related_name="flags")
    upload = models.ForeignKey(Upload, null=True, blank=True, on_delete=models.PROTECT, related_name="flags")
    finding = models.ForeignKey(Finding, null=True, blank=True, on_delete=models.PROTECT, related_name="flags")
    campaign = models.ForeignKey(Campaign, null=True, blank=True, on_delete=models.PROTECT, related_name="flags")

    detector = models.CharField(max_length=60, help_text='Name of the detector; "person" for a flag by hand')
    source = models.CharField(max_length=10, choices=Source)
    level = models.CharField(max_length=6, choices=Level)
    title = models.CharField(max_length=200)
    statistic = models.FloatField(null=True, blank=True)
    threshold = models.FloatField(null=True, blank=True)
    p_value = models.FloatField(null=True, blank=True)
    evidence = models.JSONField(help_text='[{"text", "link", "quote"}]: sentences with links to the exact rows')
    calibration = models.ForeignKey(Calibration, null=True, blank=True, on_delete=models.PROTECT, related_name="flags")
    raised_by = models.ForeignKey(_USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=64, unique=True, help_text="SHA-256 of detector, level, subject, evidence")
    created_at = models.DateTimeField(default=timezone.now)

    state = models.CharField(max_length=8, choices=FlagState, default=FlagState.OPEN)
    round = models.PositiveSmallIntegerField(default=1, help_text="Reopening starts the next one")
    claimed_by = models.ForeignKey(_USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    claimed_until = models.DateTimeField(null=True, blank=True)

    objects = FlagQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=~Q(state=FlagState.DECIDED), name="flag_undecided"),
            models.Index(fields=["detector", "state"], name="flag_detector"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=FlagState.values), name="flag_state_known"),
            models.CheckConstraint(condition=Q(level__in=Level.values), name="flag_level_known"),
            models.CheckConstraint(
                condition=Q(experiment__isnull=False)
                | Q(agent__isnull=False)
                | Q(upload__isnull=False)
                | Q(finding__isnull=False),
                name="flag_has_subject",
            ),
        ]
        triggers: ClassVar = [
            GUARD.fixed(
                "flag", "id", "experiment_id", "agent_id", "upload_id", "finding_id", "campaign_id", "detector",
                "source", "level", "title", "statistic", "threshold", "p_value", "evidence", "calibration_id",
                "raised_by_id", "key", "created_at",
            ),
            *GUARD.kept("flag"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"flag {self.pk}: {self.title}"

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("flag", args=[self.pk])

    @property
    def subject(self) -> str:
        """What it is about: "experiment:12"."""
        for kind in ("experiment", "upload", "finding", "agent"):
            if getattr(self, f"{kind}_id"):
                return f"{kind}:{getattr(self, f'{kind}_id')}"
        raise ValueError(f"flag {self.pk} is about nothing")

    @property
    def is_grave(self) -> bool:
        """Whether more than one reviewer must agree."""
        return self.level == Level.HOLD

    def claimant(self) -> "int | None":
        """Id of who holds the lock now; None if nobody does."""
        until = self.claimed_until
        live = self.state == FlagState.CLAIMED and until is not None and until > timezone.now()
        return self.claimed_by_id if live else None


class Vote(models.Model):
    """What one reviewer thinks of a flag; a later one of the same person in the same round counts instead."""

    flag = models.ForeignKey(Flag, on_delete=models.PROTECT, related_name="votes")
    round = models.PositiveSmallIntegerField()
    reviewer = models.ForeignKey(_USER, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=16, choices=Verdict)
    reason = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(verdict__in=Verdict.values) & ~Q(reason=""), name="vote_says_why")
        ]
        triggers: ClassVar = GUARD.append_only("vote")

    def __str__(self) -> str:
        return f"{self.verdict} on flag {self.flag_id}"


class Decision(models.Model):
    """The end of a round: a verdict, or that the flag was opened again."""

    flag = models.ForeignKey(Flag, on_delete=models.PROTECT, related_name="decisions")
    round = models.PositiveSmallIntegerField()
    verdict = models.CharField(max_length=16, choices=[*Verdict.choices, (REOPENED, "Reopened")])
    reason = models.TextField()
    decided_by = models.ForeignKey(_USER, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["flag", "round"], condition=~Q(verdict=REOPENED), name="decision_once_a_round"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="decision_says_why"),
        ]
        triggers: ClassVar = GUARD.append_only("decision")

    def __str__(self) -> str:
        return f"{self.verdict} on flag {self.flag_id}"
