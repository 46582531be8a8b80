"""Runs that ended, hour by hour, over the last day."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.charts import CHARTS
from experiments.charts._chart import Chart, Figure
from experiments.charts._paint import COLOURS
from experiments.selectors.figures import HourRow, hour_rows

if TYPE_CHECKING:
    from experiments.permissions import Actor

_PATTERNS = {"scored": "", "failed": "x", "cancelled": "/"}


@CHARTS.register("throughput")
class Throughput(Chart[HourRow]):
    """Source: own; counted from run rows, so it survives a restart of everything."""

    title = "Runs per hour"
    summary = "Runs that ended in each of the last 24 hours (UTC), by how they ended."
    row = HourRow
    empty = "No run ended within the last 24 hours."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[HourRow]:
        """The same for everyone who may view the lab."""
        return hour_rows()

    def draw(self, rows: Sequence[HourRow]) -> Figure:
        """Stacked bars; the pattern says what the colour says."""
        hours = [row.hour.isoformat() for row in rows]
        ends = {"scored": COLOURS[2], "failed": COLOURS[4], "cancelled": COLOURS[5]}
        return {
            "data": [
                {
                    "type": "bar",
                    "name": f"{end} ({sum(getattr(row, end) for row in rows)})",
                    "x": hours,
                    "y": [getattr(row, end) for row in rows],
                    "marker": {"color": colour, "pattern": {"shape": _PATTERNS[end]}},
                    "hovertemplate": f"%{{x|%H:%M}}: %{{y}} {end}<extra></extra>",
                }
                for end, colour in ends.items()
            ],
            "layout": {
                "barmode": "stack",
                "xaxis": {"type": "date"},
                "yaxis": {"title": {"text": "runs"}, "rangemode": "tozero"},
                "showlegend": True,
            },
        }
