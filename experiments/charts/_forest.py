"""Forest plots: one line per row, its value as a mark, its interval as a bar."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from experiments.charts._paint import Level, interval_text, levels, reach, style

_LABEL_CHARACTERS = 34  # longer names would leave no room for the figure on a phone
_LINE_PX = 34
_FRAME_PX = 110
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
    """A Plotly dictionary; the first mark's line stands on top."""
    names = list(dict.fromkeys(mark.line for mark in marks))
    series = list(dict.fromkeys(mark.series for mark in marks))
    return {
        "data": [
            _trace(name, index, [mark for mark in marks if mark.series == name], len(series))
            for index, name in enumerate(series)
        ],
        "layout": {
            **levels(lines, axis="x"),
            "height": _FRAME_PX + _LINE_PX * len(names),
            "showlegend": len(series) > 1,
            "legend": {"y": 1.0, "yref": "container", "yanchor": "top"},
            "margin": {"t": 44 if len(series) > 1 else 26},
            "xaxis": {"title": {"text": axis}, "zeroline": False},
            "yaxis": {
                "type": "category",
                "categoryorder": "array",
                "categoryarray": names[::-1],
                "tickmode": "array",
                "tickvals": names,
                "ticktext": [_short(name) for name in names],
                "range": [-0.6, len(names) - 0.4],
            },
        },
    }


def _trace(name: str, index: int, marks: Sequence[Mark], series: int) -> dict[str, Any]:
    look = style(index)
    prefix = f"{name}: " if series > 1 else ""
    below, above = zip(*(reach(mark.value, mark.low, mark.high) for mark in marks), strict=True)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [mark.value for mark in marks],
        "y": [mark.line for mark in marks],
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
