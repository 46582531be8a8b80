"""The best verified dev PGR of each submitter over time, as steps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.charts import CHARTS
from experiments.charts._chart import Chart, Figure
from experiments.charts._paint import HUMAN_BASELINE, Level, interval_text, levels, style
from experiments.selectors.progress import StepRow, best_steps

if TYPE_CHECKING:
    from experiments.permissions import Actor


@CHARTS.register("pgr-over-time")
class PgrOverTime(Chart[StepRow]):
    """Source: the progress figure of the published experiment, with verified scores only."""

    title = "Best verified dev PGR over time"
    summary = (
        "Each step is an experiment that beat its submitter's best; counted weak-to-strong experiments only. "
        "A best of many is optimistic: the holdout on the leaderboard says what is left of it. "
        "Human baseline: 0.23, published, on other data and models."
    )
    row = StepRow
    empty = "No scored experiment counts on this benchmark yet."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[StepRow]:
        """params: benchmark (slug), campaign (its number; left out: everybody)."""
        campaign = params.get("campaign", "")
        return best_steps(user, params.get("benchmark", ""), campaign=int(campaign) if campaign.isdecimal() else 0)

    def draw(self, rows: Sequence[StepRow]) -> Figure:
        """One stepped line per submitter, carried on to the latest step of all."""
        steps = [row for row in rows if row.finished_at is not None]
        if not steps:
            return {"data": [], "layout": {"meta": {"empty": self.empty}}}
        end = max(row.finished_at for row in steps if row.finished_at)
        names = list(dict.fromkeys(row.submitter for row in steps))
        lines = [
            Level(0, "weak teacher (0)"),
            Level(1, "ceiling (1)"),
            Level(HUMAN_BASELINE, f"human {HUMAN_BASELINE:.2f} (external)", "dash"),
        ]
        lines += [
            Level(row.pgr, f"{row.submitter.removesuffix(' baseline')} {fixed(row.pgr)}", "dashdot")
            for row in rows
            if row.finished_at is None
        ]
        data = []
        for index, name in enumerate(names):
            own, look = [row for row in steps if row.submitter == name], style(index)
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": name,
                    "x": [row.finished_at.isoformat() for row in own if row.finished_at] + [end.isoformat()],
                    "y": [row.pgr for row in own] + [own[-1].pgr],
                    "line": {"shape": "hv", "color": look.colour, "dash": look.dash, "width": 2},
                    "marker": {"color": look.colour, "symbol": [look.symbol] * len(own) + ["line-ew"], "size": 8},
                    "text": [_note(row) for row in own] + [_note(own[-1])],
                    "hovertemplate": "%{text}<extra></extra>",
                }
            )
        return {
            "data": data,
            "layout": {
                **levels(lines, axis="y"),
                "xaxis": {"type": "date"},
                "yaxis": {"title": {"text": "dev PGR"}, "zeroline": False, "rangemode": "tozero"},
                "hovermode": "closest",
                "showlegend": True,
            },
        }


def fixed(value: float) -> str:
    """Two decimals, with a true minus sign."""
    return f"{value:.2f}".replace("-", "−")


def _note(row: StepRow) -> str:
    return (
        f"{row.submitter}: {interval_text(row.pgr, row.low, row.high)}<br>#{row.experiment} {row.title}"
        f"<br>{row.seeds} seeds, n = {row.items}"
    )
