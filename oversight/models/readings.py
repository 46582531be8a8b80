"""What the monitor is to read and what it said; and what it may spend a day."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from experiments.leased import Lease
from experiments.models import Experiment
from oversight.triggers import GUARD


class ReadingState(models.TextChoices):
    """CALLING: a worker waits for the model. NO_VERDICT is an end, and never means clean."""

    WAITING = "waiting", "Waiting"
    CALLING = "calling", "Being read"
    DONE = "read", "Read"
    NO_VERDICT = "no_verdict", "No verdict"


class MonitorDay(models.Model):
    """The monitor's money of one day (UTC), in micro-dollars: whoever holds the row's lock decides alone."""

    day = models.DateField(primary_key=True)
    reserved = models.PositiveBigIntegerField(default=0)
    spent = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["-day"]
        triggers: ClassVar = GUARD.kept("monitorday")

    def __str__(self) -> str:
        return f"monitor on {self.day}: {self.spent} spent, {self.reserved} held"


class Reading(Lease):
    """One look of a model at the code and the claims of an experiment; new claims get a new one.

    held: micro-dollars that a call in flight may cost at most, of the purse of held_day. cost: of all its calls.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="readings")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Null: lab",
    )
    digest = models.CharField(max_length=64, help_text="SHA-256 of what was asked to be read")
    state = models.CharField(max_length=10, choices=ReadingState, default=ReadingState.WAITING)
    model = models.CharField(max_length=80, blank=True, default="")
    version = models.PositiveSmallIntegerField(default=0, help_text="Of the question")
    score = models.FloatField(null=True, blank=True, help_text="0 to 1; null is no verdict, not 0")
    summary = models.TextField(blank=True, default="")
    speaks_to_reader = models.BooleanField(default=False, help_text="The model says so, or a plain pattern does")
    evidence = models.JSONField(default=list, help_text='[{"where", "quote", "why"}]: quotes found in the source')
    dropped = models.PositiveSmallIntegerField(default=0, help_text="Quotes that stand nowhere in the source")
    left_out = models.JSONField(default=list, help_text="What did not fit and was not read")
    unreadable = models.BooleanField(default=False, help_text="It answered, but not with a verdict: a person looks")
    error = models.TextField(blank=True, default="", help_text="Why it waits, or why there is no verdict")
    failures = models.PositiveSmallIntegerField(default=0)
    again_at = models.DateTimeField(null=True, blank=True)
    usage = models.JSONField(default=dict, help_text="Tokens of the last answer")
    held = models.PositiveBigIntegerField(default=0)
    held_day = models.ForeignKey(MonitorDay, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    cost = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(state__in=["waiting", "calling"]), name="reading_unfinished")
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["experiment", "digest"], name="reading_once"),
            models.CheckConstraint(condition=Q(state__in=ReadingState.values), name="reading_state_known"),
            models.CheckConstraint(
                condition=Q(state="read", score__gte=0, score__lte=1) | (~Q(state="read") & Q(score=None)),
                name="reading_scored_when_read",
            ),
            models.CheckConstraint(condition=Q(held=0) | Q(held_day__isnull=False), name="reading_held_of_a_day"),
        ]
        triggers: ClassVar = GUARD.kept("reading")

    def __str__(self) -> str:
        return f"reading {self.pk} of experiment {self.experiment_id}"
