"""What people set for each detector, and what was measured of it on our own benchmarks."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from experiments.models import Benchmark
from oversight.triggers import GUARD


class DetectorSetting(models.Model):
    """One detector: on or off, thresholds other than its own, and whether its precision has demoted it."""

    name = models.CharField(max_length=60, unique=True)
    enabled = models.BooleanField(default=True)
    overrides = models.JSONField(default=dict, blank=True, help_text="Option -> value in place of the detector's own")
    demoted_at = models.DateTimeField(null=True, blank=True, help_text="Its holds are flags since then")
    demotion = models.TextField(blank=True, help_text="Why it was demoted, in numbers")
    counted_from = models.DateTimeField(null=True, blank=True, help_text="Older decisions do not count for demotion")
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["name"]
        triggers: ClassVar = GUARD.kept("detectorsetting")

    def __str__(self) -> str:
        return self.name


class Calibration(models.Model):
    """A threshold measured on baseline runs: when, on how many, and how often it would have been wrong."""

    detector = models.CharField(max_length=60)
    benchmark = models.ForeignKey(
        Benchmark, null=True, blank=True, on_delete=models.PROTECT, related_name="calibrations"
    )
    n = models.PositiveIntegerField(help_text="Sample size")
    threshold = models.FloatField(null=True, blank=True)
    false_positive_rate = models.FloatField(null=True, blank=True)
    details = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["detector", "benchmark", "-id"], name="calibration_latest")]
        triggers: ClassVar = GUARD.append_only("calibration")

    def __str__(self) -> str:
        return f"{self.detector} on {self.n}"
