"""What a cell's verdict rests on, as its row keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from experiments.selectors.scores import Score, read_score


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of one judged cell, on the holdout split; everything is empty for one that is not judged or did not run.

    accuracies: arm -> mean. pgr, over_vanilla: with Fieller's 95% interval. lower, upper: one-sided 95% bounds of the
    PGR, None where that side is open. p: of "the PGR is at most theta_min".
    sensitivity: {"verdict", "pgr"} if each of the `failed` runs had recovered nothing. bootstrap: a check on the
    interval.
    settle: {"items", "seeds", "both"}: what would close an open question. says: the verdict in a sentence.
    """

    accuracies: Mapping[str, float] = field(default_factory=dict)
    pgr: Score | None = None
    over_vanilla: Score | None = None
    lower: float | None = None
    upper: float | None = None
    p: float | None = None
    gap_over_se: float | None = None
    sensitivity: Mapping[str, Any] | None = None
    failed: int = 0
    bootstrap: tuple[float, float] | None = None
    settle: Mapping[str, Any] | None = None
    says: str = ""


def read_numbers(stored: Mapping[str, Any]) -> Numbers:
    """The row's JSON; an empty one is that of a cell without numbers."""
    values = {name: value for name, value in stored.items() if name in Numbers.__dataclass_fields__}
    for name in ("pgr", "over_vanilla"):
        score = values.get(name)
        values[name] = read_score(score["value"], score) if score else None
    if values.get("bootstrap"):
        values["bootstrap"] = tuple(values["bootstrap"])
    return Numbers(**values)
