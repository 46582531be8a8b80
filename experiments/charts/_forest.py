"""Forest plots: one line per row, its value as a mark, its interval as a bar."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from experiments.charts._paint import Level, interval_text, levels, reach, style

_LABEL_CHARACTERS = 34  # longer names would leave no room for the figure on a phone
_LINE_PX, _SERIES_PX, _FRAME_PX = 30, 10, 110
_SERIES_SPREAD = 0.36  # of a line's height, from its first series to its last
CONTRAST_LEVELS = (Level(0, "weak"), Level(1, "ceiling"))


class Mark(NamedTuple):
    """One value of one series on one line; low and high None where the interval is unbounded."""

    line: str
    series: str
    value: float
    low: float | None
    high: float | None
    note: str


def forest(marks: Sequence[Mark], lines: Sequence[Level] = CONTRAST_LEVELS, *, axis: str = "PGR") -> dict[str, Any]:
    """A Plotly dictionary; the first mark's line stands on top, its series one below the other."""
    names = list(dict.fromkeys(mark.line for mark in marks))
    series = list(dict.fromkeys(mark.series for mark in marks))
    heights = {name: len(names) - 1 - index for index, name in enumerate(names)}
    spread = _SERIES_SPREAD * (len(series) > 1)
    traces = []
    for index, name in enumerate(series):
        shift = spread * ((len(series) - 1) / 2 - index) / max(len(series) - 1, 1)
        own = [mark for mark in marks if mark.series == name]
        traces.append(_trace(name, index, own, [heights[mark.line] + shift for mark in own], many=len(series) > 1))
    return {
        "data": traces,
        "layout": {
            **levels(lines, axis="x"),
            "height": _FRAME_PX + (_LINE_PX + _SERIES_PX * (len(series) - 1)) * len(names),
            "showlegend": len(series) > 1,
            "legend": {"y": 1.0, "yref": "container", "yanchor": "top"},
            "margin": {"t": 44 if len(series) > 1 else 26},
            "xaxis": {"title": {"text": axis}, "zeroline": False},
            "yaxis": {
                "tickmode": "array",
                "tickvals": list(heights.values()),
                "ticktext": [_short(name) for name in names],
                "range": [-0.6, len(names) - 0.4],
                "zeroline": False,
            },
        },
    }


def _trace(name: str, index: int, marks: Sequence[Mark], heights: Sequence[float], *, many: bool) -> dict[str, Any]:
    look = style(index)
    prefix = f"{name}: " if many else ""
    below, above = zip(*(reach(mark.value, mark.low, mark.high) for mark in marks), strict=True)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [mark.value for mark in marks],
        "y": heights,
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 9},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": above,
            "arrayminus": below,
            "thickness": 1.6,
            "width": 4,
        },
        "text": [
            f"{mark.line}<br>{prefix}{interval_text(mark.value, mark.low, mark.high)}<br>{mark.note}" for mark in marks
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _short(name: str) -> str:
    return name if len(name) <= _LABEL_CHARACTERS else name[: _LABEL_CHARACTERS - 1] + "…"
