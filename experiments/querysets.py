"""Reusable filters: who may see what, what is finished, whose lease has run out."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models

from experiments.lifecycle import EXPERIMENT_TERMINAL, BenchmarkState, RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


class BenchmarkQuerySet(models.QuerySet[Any]):
    """Filters over benchmarks."""

    def visible_to(self, user: "AbstractBaseUser | AnonymousUser") -> "BenchmarkQuerySet":
        """Everyone with an account sees every benchmark."""
        return self.all() if user.is_authenticated else self.none()

    def expired(self, now: datetime) -> "BenchmarkQuerySet":
        """Being prepared by a worker that stopped renewing its lease."""
        return self.filter(state=BenchmarkState.PREPARING, lease_until__lt=now)


class ExperimentQuerySet(models.QuerySet[Any]):
    """Filters over experiments."""

    def visible_to(self, user: "AbstractBaseUser | AnonymousUser") -> "ExperimentQuerySet":
        """Everyone with an account sees every experiment; what of it, the serializer decides."""
        return self.all() if user.is_authenticated else self.none()

    def unfinished(self) -> "ExperimentQuerySet":
        """Neither scored nor failed nor cancelled."""
        return self.exclude(state__in=EXPERIMENT_TERMINAL)


class RunQuerySet(models.QuerySet[Any]):
    """Filters over runs."""

    def expired(self, now: datetime) -> "RunQuerySet":
        """Being trained by a worker that stopped renewing its lease."""
        return self.filter(state=RunState.RUNNING, lease_until__lt=now)


class EvaluationQuerySet(models.QuerySet[Any]):
    """Filters over evaluations."""

    def uploads(self) -> "EvaluationQuerySet":
        """Scorings of uploaded vectors, which cost the team's query budget."""
        return self.filter(run__isnull=True)
