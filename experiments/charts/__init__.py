"""The figures, one file each: see docs/adding-a-chart.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.urls import reverse

from experiments.charts._chart import Cell, Chart
from registry import Registry

if TYPE_CHECKING:
    from experiments.permissions import Actor

CHARTS: Registry[type[Chart[Any]]] = Registry("chart", __name__)
TABLE_ROWS = 40  # on the page, folded away: cells cost more than the figure; the CSV has them all


@dataclass(frozen=True, slots=True)
class PreparedChart:
    """What components/chart.html needs: where the figure is, and its rows as a table."""

    title: str
    summary: str
    url: str
    csv_url: str
    table_url: str
    headings: list[str]
    rows: list[list[Cell]]
    total: int


def prepare(name: str, user: "Actor", params: Mapping[str, Any]) -> PreparedChart:
    """A chart for a page. Raises: UnknownName; Http404 for what the user may not see."""
    chart = CHARTS.get(name)()
    asked = {key: str(value) for key, value in params.items()}
    rows = chart.rows(user, asked)
    query = f"?{urlencode(asked)}" if asked else ""
    return PreparedChart(
        title=chart.title,
        summary=chart.summary,
        url=reverse("chart", args=[name]) + query,
        csv_url=reverse("chart_csv", args=[name]) + query,
        table_url=reverse("chart_table", args=[name]) + query,
        headings=chart.headings(),
        rows=chart.cells(rows[:TABLE_ROWS]),
        total=len(rows),
    )
