"""Scores as pages show them: a value with its interval, n and what cannot be said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.models import Experiment


@dataclass(frozen=True, slots=True)
class Score:
    """A PGR, or a difference of two, as `metrics.Estimate` left it in the row.

    low, high: ends of the interval, None where that side is unbounded.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    bounded: bool = False
    n_items: int | None = None
    n_seeds: int | None = None
    level: float = 0.95
    reason: str = ""

    @property
    def percent(self) -> int:
        """The interval's level, such as 95."""
        return round(self.level * 100)


def read_score(value: float | None, stored: Mapping[str, Any]) -> Score | None:
    """The score in a row's JSON; None where nothing was scored yet."""
    if value is None and not stored:
        return None
    low, high = stored.get("low"), stored.get("high")
    return Score(
        value=value,
        low=low,
        high=high,
        se=stored.get("se"),
        bounded=bool(stored.get("bounded", low is not None and high is not None)),
        n_items=stored.get("n_items"),
        n_seeds=stored.get("n_seeds"),
        level=stored.get("level", 0.95),
        reason=stored.get("reason", ""),
    )


def dev_score(experiment: "Experiment") -> Score | None:
    """Dev PGR of an experiment with its interval."""
    return read_score(experiment.dev_pgr, experiment.dev_score)


def holdout_score(experiment: "Experiment") -> Score | None:
    """Holdout PGR; callers ask `can_see_holdout` first."""
    return read_score(experiment.holdout_pgr, experiment.holdout_score)


def vanilla_difference(stored: Mapping[str, Any]) -> Score | None:
    """The paired difference to the vanilla student, if it was measured."""
    difference = stored.get("vanilla")
    return read_score(difference.get("value"), difference) if difference else None
