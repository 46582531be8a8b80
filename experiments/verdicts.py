"""What people have judged of a method already, for its next run: settings name who knows, nothing here imports it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from experiments.lifecycle import Standing
    from experiments.models import Experiment


@dataclass(frozen=True, slots=True)
class MethodVerdict:
    """What every run of a method counts for, and why, in words for people."""

    standing: "Standing"
    reason: str


def verdict_on_method(experiment: "Experiment") -> MethodVerdict | None:
    """What stands against this experiment's method; None if nothing. Needs a lock of descent.py, or it may be old."""
    found: MethodVerdict | None = import_string(settings.METHOD_VERDICT)(experiment)
    return found
