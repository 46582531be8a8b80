"""What was tried and what it gave: the best of each method, as far as it has a score."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.charts import CHARTS
from experiments.charts._campaign import read_campaign
from experiments.charts._chart import Chart, Figure
from experiments.charts._forest import Mark, forest
from experiments.selectors.ideas import TriedRow, tried_rows

if TYPE_CHECKING:
    from experiments.permissions import Actor

MOST_LINES = 30


@CHARTS.register("what-was-tried")
class WhatWasTried(Chart[TriedRow]):
    """Source: own; scores as on the leaderboard, dev only."""

    title = "What was tried and what it gave"
    summary = (
        f"The best counted dev PGR of each method on each benchmark, with its 95% interval; the first {MOST_LINES}."
        " A best of many tries is optimistic. Methods without a score are in the table alone."
    )
    row = TriedRow
    empty = "Nothing that was tried has a score yet."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[TriedRow]:
        """params: campaign (its number; left out: everybody)."""
        return tried_rows(user, read_campaign(params.get("campaign", "")))

    def draw(self, rows: Sequence[TriedRow]) -> Figure:
        """A line per method and benchmark, the best on top."""
        marks = [
            Mark(
                f"{row.method} · {row.benchmark}", "dev", row.best, row.low, row.high,
                f"{row.outcome}; {row.tried} tried; #{row.experiment}, {row.seeds} seeds, n = {row.items}",
            )
            for row in rows
            if row.best is not None
        ][:MOST_LINES]  # fmt: skip
        return forest(marks) if marks else self.figure([])
