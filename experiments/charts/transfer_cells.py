"""The cells of one transfer study: PGR with its interval, against the smallest PGR that counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.http import Http404

from experiments.charts import CHARTS
from experiments.charts._chart import Chart, Figure
from experiments.charts._forest import CONTRAST_LEVELS, Mark, forest
from experiments.charts._paint import Level
from experiments.errors import NotFound
from experiments.lifecycle import Verdict
from experiments.transfer.selectors import study_facts, study_of

if TYPE_CHECKING:
    from experiments.permissions import Actor


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One cell; numbers are None until it is judged, low and high where the interval is open."""

    benchmark: str
    verdict: str
    pgr: float | None
    low: float | None
    high: float | None
    items: int | None
    seeds: int | None
    experiment: int
    theta_min: float = field(metadata={"heading": "θ_min"})


@CHARTS.register("transfer-cells")
class TransferCells(Chart[VerdictRow]):
    """Source: Fieller 1954 for the intervals; verdicts as in docs/transfer.md."""

    title = "PGR in every cell"
    summary = (
        "Holdout PGR with Fieller's 95% interval in each cell that was measured, against θ, the smallest PGR that"
        " counts as transfer, which was fixed before."
    )
    row = VerdictRow
    empty = "No cell has been measured yet."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[VerdictRow]:
        """params: study (its number)."""
        number = params.get("study", "")
        if not number.isdecimal() or len(number) > 18:
            raise Http404("no such study")
        try:
            (facts,) = study_facts([study_of(user, int(number))])
        except NotFound as error:
            raise Http404(str(error)) from error
        return [
            VerdictRow(
                benchmark=each.cell.benchmark.title,
                verdict=Verdict(each.verdict).label if each.verdict else "waiting",
                pgr=each.numbers.pgr.value if each.numbers.pgr else None,
                low=each.numbers.pgr.low if each.numbers.pgr else None,
                high=each.numbers.pgr.high if each.numbers.pgr else None,
                items=each.numbers.pgr.n_items if each.numbers.pgr else None,
                seeds=each.numbers.pgr.n_seeds if each.numbers.pgr else None,
                experiment=each.cell.experiment_id,
                theta_min=facts.study.theta_min,
            )
            for each in facts.cells
        ]

    def draw(self, rows: Sequence[VerdictRow]) -> Figure:
        """A line per cell that has a PGR."""
        marks = [
            Mark(
                row.benchmark, "holdout", row.pgr, row.low, row.high,
                f"{row.verdict}; #{row.experiment}, {row.seeds} seeds, n = {row.items}",
            )
            for row in rows
            if row.pgr is not None
        ]  # fmt: skip
        lines = (*CONTRAST_LEVELS, Level(rows[0].theta_min, "θ", "dash"))
        return forest(marks, lines) if marks else self.figure([])
