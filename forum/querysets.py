"""Reusable filters of the forum: who may see what."""

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef

from forum.permissions import can_curate

if TYPE_CHECKING:
    from experiments.permissions import Actor


class FindingQuerySet(models.QuerySet[Any]):
    """Filters over findings."""

    def visible_to(self, user: "Actor") -> "FindingQuerySet":
        """Everyone with an account sees every finding, but hidden ones only whoever may hide."""
        if not user.is_authenticated:
            return self.none()
        return self.all() if can_curate(user) else self.shown()

    def shown(self) -> "FindingQuerySet":
        """Findings that nobody has hidden."""
        hides = apps.get_model("forum", "Hide").objects.standing()
        return self.filter(~Exists(hides.filter(finding=OuterRef("pk"))))


class HideQuerySet(models.QuerySet[Any]):
    """Filters over hides."""

    def standing(self) -> "HideQuerySet":
        """Hides that nobody has lifted."""
        return self.filter(lifted_at__isnull=True)
