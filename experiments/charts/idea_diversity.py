"""How far apart the latest hypotheses are, over time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.charts import CHARTS
from experiments.charts._campaign import read_campaign
from experiments.charts._chart import Chart, Figure
from experiments.charts._paint import interval_text, style
from experiments.selectors.ideas import WINDOW, DiversityRow, diversity_rows

if TYPE_CHECKING:
    from experiments.permissions import Actor


@CHARTS.register("idea-diversity")
class IdeaDiversity(Chart[DiversityRow]):
    """Source: own; mean pairwise 1 - cosine of TF-IDF vectors, see experiments/ideas.py."""

    title = "Diversity of directions"
    summary = (
        f"Mean 1 − cosine of all pairs of the last {WINDOW} hypotheses, as TF-IDF vectors of their words: 1, no two"
        " share a telling word; 0, all say the same. Band: 95% jackknife interval over hypotheses."
    )
    row = DiversityRow
    empty = "Diversity needs three experiments with a hypothesis."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[DiversityRow]:
        """params: campaign (its number; left out: everybody)."""
        return diversity_rows(user, read_campaign(params.get("campaign", "")))

    def draw(self, rows: Sequence[DiversityRow]) -> Figure:
        """A line within its band."""
        look = style(0)
        at = [row.submitted_at.isoformat() for row in rows]
        edge = {"type": "scatter", "mode": "lines", "x": at, "line": {"width": 0}, "hoverinfo": "skip"}
        return {
            "data": [
                {**edge, "y": [row.value_low for row in map(_Bounds, rows)], "showlegend": False},
                {
                    **edge,
                    "y": [row.value_high for row in map(_Bounds, rows)],
                    "fill": "tonexty",
                    "fillcolor": "rgba(47,127,209,0.18)",
                    "name": "95% interval",
                },
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": "diversity",
                    "x": at,
                    "y": [row.diversity for row in rows],
                    "line": {"color": look.colour, "width": 2},
                    "marker": {"color": look.colour, "symbol": look.symbol, "size": 5},
                    "text": [
                        f"up to #{row.experiment}: {interval_text(row.diversity, row.low, row.high)}<br>"
                        f"{row.ideas} hypotheses of {row.submitters} submitters"
                        for row in rows
                    ],
                    "hovertemplate": "%{text}<extra></extra>",
                },
            ],
            "layout": {
                "xaxis": {"type": "date"},
                "yaxis": {"title": {"text": "diversity"}, "range": [0, 1.02], "zeroline": False},
                "hovermode": "closest",
                "showlegend": True,
            },
        }


class _Bounds:
    """The band collapses onto the line where there is no interval."""

    def __init__(self, row: DiversityRow) -> None:
        self.value_low = row.diversity if row.low is None else row.low
        self.value_high = row.diversity if row.high is None else row.high
