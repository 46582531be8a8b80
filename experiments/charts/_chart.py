"""What a chart is: rows from a selector, a pure function from rows to a figure, and the same rows as a table."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from experiments.permissions import Actor

Row = TypeVar("Row")
Figure = dict[str, Any]


class Cell(NamedTuple):
    """One value of the table; numbers align right."""

    text: str
    number: bool


class Chart(ABC, Generic[Row]):
    """One figure. A subclass in a module of its own, registered by name, is all a new chart takes.

    title, summary: what a reader of the page, or of a screen reader, is told.
    row: the dataclass of its rows; its fields are the columns of table and CSV.
    empty: what to say instead of an empty figure.
    """

    title: ClassVar[str]
    summary: ClassVar[str]
    row: ClassVar[type[Any]]
    empty: ClassVar[str] = "Nothing to draw yet."

    @abstractmethod
    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[Row]:
        """What this user may see, as the address asks for it; holdout only with `can_see_holdout`.

        Raises: Http404 for a row that is absent or hidden.
        """

    @abstractmethod
    def draw(self, rows: Sequence[Row]) -> Figure:
        """A Plotly dictionary, `data` and `layout`, from at least one row: with n, seeds and intervals in it."""

    def figure(self, rows: Sequence[Row]) -> Figure:
        """The drawn figure, or an empty one that says why."""
        return self.draw(rows) if rows else {"data": [], "layout": {"meta": {"empty": self.empty}}}

    def headings(self) -> list[str]:
        """The columns' names for people; a field may bring its own."""
        return [each.metadata.get("heading", each.name.replace("_", " ").capitalize()) for each in fields(self.row)]

    def cells(self, rows: Sequence[Row]) -> list[list[Cell]]:
        """The rows as a table for people."""
        return [[_cell(getattr(row, each.name)) for each in fields(self.row)] for row in rows]

    def csv_rows(self, rows: Sequence[Row]) -> list[list[Any]]:
        """Header and rows, unrounded."""
        names = [each.name for each in fields(self.row)]
        return [names, *([_plain(getattr(row, name)) for name in names] for row in rows)]


def _cell(value: Any) -> Cell:
    if isinstance(value, bool):
        return Cell("yes" if value else "no", False)
    if isinstance(value, float):
        return Cell(f"{value:.3f}".replace("-", "−"), True)
    if isinstance(value, int):
        return Cell(str(value), True)
    if isinstance(value, datetime):
        return Cell(value.strftime("%Y-%m-%d %H:%M:%S"), False)
    return Cell("–" if value is None else str(value), False)


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    # a text that starts like a formula is run by spreadsheets; titles come from agents
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value
