"""Dev PGR seed by seed, with the mean and its interval."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.charts import CHARTS
from experiments.charts._chart import Chart, Figure
from experiments.charts._ids import read_ids
from experiments.charts._paint import Level, interval_text, levels, reach, style
from experiments.selectors.figures import SeedRow, seed_rows

if TYPE_CHECKING:
    from experiments.permissions import Actor


@CHARTS.register("seed-spread")
class SeedSpread(Chart[SeedRow]):
    """Source: own; the interval is Fieller's over seeds and questions, as in metrics.py."""

    title = "Dev PGR per seed"
    summary = (
        "One mark per seed; the larger mark is the mean with its 95% interval, which counts seeds and test items. "
        "0 is the weak teacher, 1 the ceiling."
    )
    row = SeedRow
    empty = "No seed has been scored yet."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[SeedRow]:
        """params: ids (comma-separated experiment ids)."""
        return seed_rows(user, read_ids(params.get("ids", "")))

    def draw(self, rows: Sequence[SeedRow]) -> Figure:
        """Seeds left to right, each experiment's mean at the right end."""
        scored = [row for row in rows if row.pgr is not None]
        if not scored:
            return {"data": [], "layout": {"meta": {"empty": self.empty}}}
        experiments = list(dict.fromkeys(row.experiment for row in scored))
        last = max(row.seed_index for row in scored)
        data = []
        for index, experiment in enumerate(experiments):
            own, look = [row for row in scored if row.experiment == experiment], style(index)
            name = f"#{experiment}"
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": f"{name}: {len(own)} seeds",
                    "x": [row.seed_index for row in own],
                    "y": [row.pgr for row in own],
                    "marker": {"color": look.colour, "symbol": look.symbol, "size": 8},
                    "hovertemplate": f"{name} seed %{{x}}: %{{y:.3f}}<extra></extra>",
                }
            )
            first = own[0]
            if first.mean is None:
                continue
            below, above = reach(first.mean, first.low, first.high)
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": f"{name} mean {interval_text(first.mean, first.low, first.high)}",
                    "x": [last + 1.5 + index * 0.8],
                    "y": [first.mean],
                    "error_y": {
                        "type": "data",
                        "symmetric": False,
                        "array": [above],
                        "arrayminus": [below],
                        "thickness": 2,
                        "width": 6,
                    },
                    "marker": {"color": look.colour, "symbol": look.symbol, "size": 13, "line": {"width": 1.5}},
                    "hovertemplate": f"{name} {first.title}<br>mean {interval_text(first.mean, first.low, first.high)}"
                    f"<br>{len(own)} seeds, n = {first.items}<extra></extra>",
                }
            )
        ticks = list(range(0, last + 1, max(1, (last + 1) // 10)))
        return {
            "data": data,
            "layout": {
                **levels([Level(0, "weak"), Level(1, "ceiling")], axis="y"),
                "xaxis": {
                    "title": {"text": "seed"},
                    "tickvals": [*ticks, last + 1.5 + (len(experiments) - 1) * 0.4],
                    "ticktext": [*map(str, ticks), "mean"],
                    "zeroline": False,
                    "range": [-0.7, last + 2.2 + len(experiments) * 0.8],
                },
                "yaxis": {"title": {"text": "dev PGR"}, "zeroline": False},
                "showlegend": True,
            },
        }
