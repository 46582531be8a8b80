"""Figures that need the forum; registered when the app starts, beside those of experiments/charts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiments.charts import CHARTS
from experiments.charts._campaign import read_campaign
from experiments.charts._chart import Chart, Figure
from experiments.charts._paint import Level, interval_text, levels, style
from forum.lineage import MOST_NODES, LineageRow, lineage_rows

if TYPE_CHECKING:
    from experiments.permissions import Actor

_NO_SCORE = -0.12  # where experiments without a score stand, below the weak teacher's line
_MOST_LABEL = 60


@CHARTS.register("lineage")
class Lineage(Chart[LineageRow]):
    """Source: own; descent as stated when code, reruns and findings were handed in, never guessed."""

    title = "Lineage of methods"
    summary = (
        "Each mark is an experiment at the time it was submitted, at its dev PGR; a line leads to it from what it"
        " builds on: code it started from, an experiment it repeats, or one that a cited finding speaks of. The newest"
        f" {MOST_NODES} with descent."
    )
    row = LineageRow
    empty = "No experiment builds on another yet: descent comes from snapshots' parents, reruns and citing findings."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[LineageRow]:
        """params: campaign (its number; left out: everybody)."""
        return lineage_rows(user, read_campaign(params.get("campaign", "")))

    def draw(self, rows: Sequence[LineageRow]) -> Figure:
        """Lines by kind of descent, below marks with their PGR."""
        places = {row.experiment: (row.submitted_at.isoformat(), _height(row)) for row in rows}
        kinds = ("code", "rerun", "finding")
        return {
            "data": [
                *(trace for index, kind in enumerate(kinds) if (trace := _lines(kind, index, rows, places))),
                _marks("scored", 0, [row for row in rows if row.pgr is not None]),
                _marks("no score", 5, [row for row in rows if row.pgr is None]),
            ],
            "layout": {
                **levels([Level(0, "weak teacher (0)"), Level(1, "ceiling (1)")], axis="y"),
                "xaxis": {"type": "date"},
                "yaxis": {"title": {"text": "dev PGR"}, "zeroline": False},
                "hovermode": "closest",
                "showlegend": True,
            },
        }


def _height(row: LineageRow) -> float:
    return _NO_SCORE if row.pgr is None else row.pgr


def _lines(
    kind: str, index: int, rows: Sequence[LineageRow], places: Mapping[int, tuple[str, float]]
) -> dict[str, Any] | None:
    x: list[str | None] = []
    y: list[float | None] = []
    for row in rows:
        for origin in row.builds_on:
            if origin.via.startswith(kind) and origin.parent in places:
                start, end = places[origin.parent], places[row.experiment]
                x += [start[0], end[0], None]
                y += [start[1], end[1], None]
    look = style(index)
    if not x:
        return None
    return {
        "type": "scatter", "mode": "lines", "name": f"by {kind} ({len(x) // 3})", "x": x, "y": y, "hoverinfo": "skip",
        "line": {"width": 1, "color": look.colour, "dash": look.dash},
    }  # fmt: skip


def _marks(name: str, index: int, rows: Sequence[LineageRow]) -> dict[str, Any]:
    look = style(index)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{name} ({len(rows)})",
        "x": [row.submitted_at.isoformat() for row in rows],
        "y": [_height(row) for row in rows],
        "marker": {"color": look.colour, "symbol": look.symbol, "size": [8 + min(row.leads_to, 8) for row in rows]},
        "text": [_note(row) for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _note(row: LineageRow) -> str:
    return (
        f"#{row.experiment} {row.title[:_MOST_LABEL]}<br>{row.submitter}: {interval_text(row.pgr, row.low, row.high)},"
        f" {row.seeds} seeds, n = {row.items if row.items is not None else '–'}<br>builds on {row.builds_on},"
        f" leads to {row.leads_to}"
    )
