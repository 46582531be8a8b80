"""What is to be inspected, what came out, and the calls that the lab refused."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from experiments.leased import Lease
from experiments.models import Benchmark, Experiment


class InspectionState(models.TextChoices):
    """WAITING until a worker of the evaluation queue claims it; FAILED after as many attempts as runs have."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Inspection(Lease):
    """The detectors' look at one experiment, or at all uploads to one benchmark; repeated when there is news."""

    experiment = models.OneToOneField(
        Experiment, null=True, blank=True, on_delete=models.PROTECT, related_name="inspection"
    )
    benchmark = models.OneToOneField(
        Benchmark, null=True, blank=True, on_delete=models.PROTECT, related_name="inspection"
    )
    state = models.CharField(max_length=8, choices=InspectionState, default=InspectionState.WAITING)
    asked = models.PositiveIntegerField(default=1, help_text="Counts requests: one that comes meanwhile is not lost")
    upto = models.PositiveBigIntegerField(default=0, help_text="Last evaluation that a benchmark's inspection has seen")
    results = models.JSONField(default=list, help_text="What every detector said: name, level, statistic, p, q, error")
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True, db_index=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(state="waiting"), name="inspection_waiting"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=InspectionState.values), name="inspection_state_known"),
            models.CheckConstraint(
                condition=Q(experiment__isnull=False) ^ Q(benchmark__isnull=False), name="inspection_of_one_thing"
            ),
        ]

    def __str__(self) -> str:
        return f"inspection of experiment {self.experiment_id}" if self.experiment_id else "inspection of uploads"


class Refusal(models.Model):
    """A call of an account that the lab refused, where refusals by the dozen mean something."""

    class What(models.TextChoices):
        """Which rule it broke."""

        OVER_BUDGET = "over_budget", "Over budget"
        HIDDEN_DATA = "hidden_data", "Data that is not served"
        FORBIDDEN = "forbidden", "Not allowed"

    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="refusals")
    what = models.CharField(max_length=12, choices=What)
    path = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.what} {self.path}"
