"""Colours, marks and shared pieces of the figures, chosen once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

# Every colour has at least 3:1 contrast on the white and on the dark page, and its own mark and dash,
# so that no figure depends on telling colours apart.
COLOURS = ("#2f7fd1", "#c8641a", "#17937c", "#9a62d0", "#d04f5e", "#7d8791", "#8b7f13", "#c4559b")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px,2px", "2px,6px")
HUMAN_BASELINE = 0.23  # people in seven days, chat preferences: alignment.anthropic.com/2026/automated-w2s-researcher


class Style(NamedTuple):
    """How the i-th series looks."""

    colour: str
    symbol: str
    dash: str


class Level(NamedTuple):
    """A horizontal or vertical line to compare with."""

    value: float
    label: str
    dash: str = "dot"


def style(index: int) -> Style:
    """Colour, mark and dash of the i-th series; after eight the colours come again with other marks."""
    turn = index // len(COLOURS)
    return Style(
        COLOURS[index % len(COLOURS)], SYMBOLS[(index + turn) % len(SYMBOLS)], DASHES[(index + turn) % len(DASHES)]
    )


def reach(value: float, low: float | None, high: float | None) -> tuple[float, float]:
    """Lengths of the error bar below and above; 0 on a side without a bound, whose label says so."""
    return (value - low if low is not None else 0.0), (high - value if high is not None else 0.0)


def interval_text(value: float | None, low: float | None, high: float | None) -> str:
    """ "0.53 [0.41, 0.66]", or that no bounded interval exists."""
    if value is None:
        return "no value"
    if low is None or high is None:
        return f"{value:.2f} [unbounded]"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def levels(lines: Sequence[Level], *, axis: str) -> dict[str, Any]:
    """Shapes and labels for reference lines: axis "y" for horizontal ones, "x" for vertical ones."""
    return {
        "shapes": [_line(each, axis) for each in lines],
        "annotations": [_label(each, axis) for each in lines],
    }


def _line(level: Level, axis: str) -> dict[str, Any]:
    ends = {"x0": 0, "x1": 1, "xref": "paper", "y0": level.value, "y1": level.value}
    if axis == "x":
        ends = {"y0": 0, "y1": 1, "yref": "paper", "x0": level.value, "x1": level.value}
    return {"type": "line", "layer": "below", "line": {"width": 1, "dash": level.dash}, **ends}


def _label(level: Level, axis: str) -> dict[str, Any]:
    if axis == "x":
        return {"x": level.value, "y": 1, "yref": "paper", "yanchor": "bottom", "text": level.label, "showarrow": False}
    return {
        "x": 1, "xref": "paper", "xanchor": "right", "y": level.value, "yanchor": "bottom", "text": level.label,
        "showarrow": False,
    }  # fmt: skip
