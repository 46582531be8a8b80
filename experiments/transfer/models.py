"""The rows of transfer studies: a plan that is frozen before anything runs, and one cell per benchmark."""

import json
from functools import cached_property
from typing import Any, ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from experiments.lifecycle import StudyState, Verdict
from experiments.triggers import RECORD

_JUDGED = pgtrigger.Condition('OLD."judged_at" IS NOT NULL')


class TransferStudy(models.Model):
    """One method, as one experiment ran it, replicated on other benchmarks with fresh seeds.

    What was decided before the first run is `plan_text`, whose SHA-256 is `plan_hash`; neither ever changes.
    """

    experiment = models.ForeignKey(
        "experiments.Experiment", on_delete=models.PROTECT, related_name="transfer_studies", help_text="What is studied"
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="transfer_studies")
    theta_min = models.FloatField(help_text="Smallest PGR that counts as transfer, chosen before the study")
    seeds = models.PositiveSmallIntegerField(help_text="Runs in each cell")
    confirmatory = models.BooleanField(help_text="With fewer seeds it explores")
    plan_text = models.TextField(help_text="Canonical JSON: kept as text, because a hash is of bytes")
    plan_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=StudyState, default=StudyState.RUNNING)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=StudyState.values), name="transfer_study_state_known"),
            models.CheckConstraint(condition=Q(theta_min__gte=0, theta_min__lt=1), name="transfer_theta_in_range"),
        ]
        triggers: ClassVar = [
            RECORD.fixed(
                "transfer_study", "experiment_id", "author_id", "theta_min", "seeds", "confirmatory", "plan_text",
                "plan_hash", "created_at",
            ),
            *RECORD.kept("transfer_study"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"transfer study {self.pk} of experiment {self.experiment_id}"

    @cached_property
    def plan(self) -> dict[str, Any]:
        """The plan as values."""
        plan: dict[str, Any] = json.loads(self.plan_text)
        return plan


class TransferCell(models.Model):
    """One benchmark of a study: the experiment that runs there, and once that has ended, the verdict.

    numbers: what the verdict rests on, computed on the holdout split; people only.
    """

    study = models.ForeignKey(TransferStudy, on_delete=models.PROTECT, related_name="cells")
    benchmark = models.ForeignKey("experiments.Benchmark", on_delete=models.PROTECT, related_name="transfer_cells")
    experiment = models.OneToOneField(
        "experiments.Experiment", on_delete=models.PROTECT, related_name="transfer_cell", help_text="What runs there"
    )
    verdict = models.CharField(max_length=20, choices=Verdict, blank=True, default="")
    numbers = models.JSONField(default=dict)
    error = models.TextField(blank=True, default="", help_text="Why it did not run")
    judged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["study", "benchmark"], name="transfer_cell_unique"),
            models.CheckConstraint(condition=Q(verdict__in=["", *Verdict.values]), name="transfer_verdict_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["experiment"], condition=Q(judged_at=None), name="transfer_cell_waiting")
        ]
        triggers: ClassVar = [
            RECORD.fixed("transfer_cell", "study_id", "benchmark_id", "experiment_id"),
            RECORD.refuse("transfer_cell_judged_once", pgtrigger.Update, condition=_JUDGED),
            *RECORD.kept("transfer_cell"),
        ]

    def __str__(self) -> str:
        return f"cell {self.benchmark_id} of transfer study {self.study_id}"
