"""The rows of reruns for the detectors."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from experiments.leased import Lease
from experiments.lifecycle import ProbeKind, ProbeState


class Probe(Lease):
    """A rerun of some seeds of a scored experiment under changed conditions, for the detectors; it never counts.

    A gpu worker claims it like a run; the scorer turns its predictions into numbers.
    """

    experiment = models.ForeignKey("experiments.Experiment", on_delete=models.PROTECT, related_name="probes")
    kind = models.CharField(max_length=10, choices=ProbeKind)
    seeds = models.PositiveSmallIntegerField(help_text="How many of the experiment's scored runs, first ones first")
    state = models.CharField(max_length=10, choices=ProbeState, default=ProbeState.QUEUED)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Null: lab",
    )
    predictions = models.JSONField(default=dict, help_text="Split -> float32 (runs, items) in base64; NaN: not asked")
    prior = models.JSONField(
        default=dict, help_text="Split -> zero-shot log-odds, float32 in base64; empty: not offered"
    )
    numbers = models.JSONField(default=dict, help_text="What the scorer made of it; nobody but people sees it")
    error = models.TextField(blank=True, default="")
    seconds = models.FloatField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True, db_index=True)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(
                fields=["id"], condition=Q(state__in=["queued", "running", "evaluating"]), name="probe_unfinished"
            )
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=ProbeState.values), name="probe_state_known"),
            models.CheckConstraint(condition=Q(kind__in=ProbeKind.values), name="probe_kind_known"),
        ]

    def __str__(self) -> str:
        return f"probe {self.pk}: {self.kind} of experiment {self.experiment_id}"
