"""What the runs of one experiment reported while they trained."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.charts import CHARTS
from experiments.charts._chart import Chart, Figure
from experiments.charts._ids import read_ids
from experiments.charts._paint import style
from experiments.selectors.figures import CurveRow, curve_rows

if TYPE_CHECKING:
    from experiments.permissions import Actor

_WIDE = 1000


@CHARTS.register("training-curves")
class TrainingCurves(Chart[CurveRow]):
    """Source: own. Curves are of training on weak labels: no ground truth is in them."""

    title = "Training curves"
    summary = "One thin line per seed, the thick one is their mean; measured on weak labels, never on ground truth."
    row = CurveRow
    empty = "No curves: heads with a closed solution have none."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[CurveRow]:
        """params: experiment (id)."""
        ids = read_ids(params.get("experiment", ""))
        return curve_rows(user, ids[0] if ids else 0)

    def draw(self, rows: Sequence[CurveRow]) -> Figure:
        """Seeds share the colour of their curve; the mean is drawn where every seed has a value."""
        data = []
        units = dict.fromkeys(row.x_label for row in rows)
        for index, name in enumerate(dict.fromkeys(row.curve for row in rows)):
            look = style(index)
            own = [row for row in rows if row.curve == name]
            seeds = list(dict.fromkeys(row.seed_index for row in own))
            for seed in seeds:
                line = [row for row in own if row.seed_index == seed]
                data.append(
                    {
                        "type": "scatter",
                        "mode": "lines",
                        "name": name,
                        "showlegend": False,
                        "opacity": 0.35,
                        "x": [row.x for row in line],
                        "y": [row.y for row in line],
                        "line": {"color": look.colour, "dash": look.dash, "width": 1},
                        "hovertemplate": f"{name}, seed {seed}: %{{y:.4g}} at %{{x:g}}<extra></extra>",
                    }
                )
            data.append(_mean(name, own, len(seeds), look.colour, look.dash))
        return {
            "data": data,
            "layout": {
                "xaxis": {"title": {"text": " / ".join(units)}, "type": _axis_type([row.x for row in rows])},
                "yaxis": {"zeroline": False},
                "showlegend": True,
            },
        }


def _axis_type(xs: Sequence[float]) -> str:
    """Penalties are tried by powers of ten; steps count from zero."""
    return "log" if min(xs) > 0 and max(xs) / min(xs) > _WIDE else "linear"


def _mean(name: str, rows: Sequence[CurveRow], seeds: int, colour: str, dash: str) -> Figure:
    at: dict[float, list[float]] = {}
    for row in rows:
        at.setdefault(row.x, []).append(row.y)
    # only where every seed has a value: elsewhere the line would jump whenever a seed joins
    xs = sorted(x for x, values in at.items() if len(values) == seeds) or sorted(at)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{name}, {seeds} seed{'' if seeds == 1 else 's'}",
        "x": xs,
        "y": [sum(at[x]) / len(at[x]) for x in xs],
        "line": {"color": colour, "dash": dash, "width": 2.5},
        "hovertemplate": f"{name}, mean: %{{y:.4g}} at %{{x:g}}<extra></extra>",
    }
