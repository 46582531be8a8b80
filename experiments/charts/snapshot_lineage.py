"""Where a snapshot came from and what came of it, as a graph with scores on its nodes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.charts import CHARTS
from experiments.charts._chart import Chart, Figure
from experiments.charts._paint import COLOURS
from experiments.selectors.snapshot_pages import Relative, family_of

if TYPE_CHECKING:
    from experiments.permissions import Actor


@CHARTS.register("snapshot-lineage")
class SnapshotLineage(Chart[Relative]):
    """Source: own; from the lines of descent that submitters state."""

    title = "Lineage"
    summary = (
        "Left to right: ancestors, this snapshot (square), descendants; a line is a stated descent. With each: its "
        "experiments (n) and the best counted dev PGR, which is optimistic where n is large."
    )
    row = Relative
    empty = "No such snapshot."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[Relative]:
        """params: snapshot, its id."""
        asked = params.get("snapshot", "")
        return family_of(user, int(asked)) if asked.isdecimal() and len(asked) < 19 else []

    def draw(self, rows: Sequence[Relative]) -> Figure:
        """A column per generation, lines between parents and children."""
        places = _places(rows)
        lines: dict[str, list[float | None]] = {"x": [], "y": []}
        for row in rows:
            for parent in map(int, filter(None, row.parents.split(", "))):
                for axis, index in (("x", 0), ("y", 1)):
                    lines[axis] += [places[parent][index], places[row.snapshot][index], None]
        spots = {
            "type": "scatter", "mode": "markers+text", "showlegend": False,
            "x": [places[row.snapshot][0] for row in rows], "y": [places[row.snapshot][1] for row in rows],
            "text": [_label(row) for row in rows], "textposition": "top center", "cliponaxis": False,
            "hovertext": [f"#{row.snapshot} by {row.submitter}<br>{_score(row)}" for row in rows],
            "hovertemplate": "%{hovertext}<extra></extra>",
            "marker": {"size": 14, "color": COLOURS[0],
                       "symbol": ["square" if row.generation == 0 else "circle" for row in rows]},
        }  # fmt: skip
        links = {
            "type": "scatter", "mode": "lines", "showlegend": False, "hoverinfo": "skip", **lines,
            "line": {"color": COLOURS[5], "width": 1.5},
        }  # fmt: skip
        low, high = min(row.generation for row in rows), max(row.generation for row in rows)
        hidden = {"visible": False, "fixedrange": True}
        return {
            "data": [links, spots],
            "layout": {
                "xaxis": {**hidden, "range": [low - 0.6, high + 0.6]},
                "yaxis": {**hidden, "range": _reach(places)},
                "height": 120 + 60 * max(_sizes(rows).values()),
                "showlegend": False,
                "hovermode": "closest",
                "margin": {"t": 24, "b": 8},
            },
        }


def _sizes(rows: Sequence[Relative]) -> dict[int, int]:
    sizes: dict[int, int] = {}
    for row in rows:
        sizes[row.generation] = sizes.get(row.generation, 0) + 1
    return sizes


def _places(rows: Sequence[Relative]) -> dict[int, tuple[float, float]]:
    """x: generation; y: spread around the middle of its column."""
    sizes, seen = _sizes(rows), dict.fromkeys(_sizes(rows), 0)
    places = {}
    for row in rows:
        places[row.snapshot] = (float(row.generation), (sizes[row.generation] - 1) / 2 - seen[row.generation])
        seen[row.generation] += 1
    return places


def _reach(places: Mapping[int, tuple[float, float]]) -> list[float]:
    heights = [place[1] for place in places.values()]
    return [min(heights) - 0.6, max(heights) + 0.9]


def _label(row: Relative) -> str:
    return f"#{row.snapshot}" + (f" {row.best_pgr:.2f}".replace("-", "−") if row.best_pgr is not None else "")


def _score(row: Relative) -> str:
    best = f"best dev PGR {row.best_pgr:.2f}".replace("-", "−") if row.best_pgr is not None else "no score yet"
    return f"{best}, n = {row.experiments} experiment{'' if row.experiments == 1 else 's'}"
