"""A column of a table of an archive: its kind, its name here, and what a value of it must look like."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from experiments.errors import InvalidInput

Row = dict[str, Any]
_MOST_ID = 2**63 - 1
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,), "float": (float, int), "text": (str,), "bool": (bool,), "time": (str,), "ref": (int,), "id": (int,),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    kind: id, int, float, text, bool, time (ISO 8601, UTC), json, ref (id of a row of `to`) or refs (a list of them).
    attr: the model's attribute, where it is called otherwise. null: whether None is allowed.
    """

    name: str
    kind: str = "text"
    to: str = ""
    attr: str = ""
    null: bool = False


def attr_of(column: Column) -> str:
    """The model's attribute of a column."""
    return column.attr or (f"{column.name}_id" if column.kind == "ref" else column.name)


def check_row(columns: Sequence[Column], row: object, place: str) -> Row:
    """The row, if it holds exactly these columns with values of their kinds. Raises: InvalidInput naming the column."""
    if not isinstance(row, dict):
        raise InvalidInput(f"{place}: not an object")
    names = [column.name for column in columns]
    if sorted(row) != sorted(names):
        odd = sorted(set(row) ^ set(names))
        raise InvalidInput(f"{place}: columns {', '.join(map(str, odd))} are missing or not known")
    for column in columns:
        problem = _problem(column, row[column.name])
        if problem:
            raise InvalidInput(f"{place}: {column.name} {problem}")
    return row


def _problem(column: Column, value: Any) -> str:  # noqa: PLR0911 - one reason each
    if value is None:
        return "" if column.null else "is missing"
    if column.kind == "json":
        return ""
    if column.kind == "refs":
        good = isinstance(value, list) and all(type(each) is int and 0 < each <= _MOST_ID for each in value)
        return "" if good and len(set(value)) == len(value) else "is not a list of different ids"
    expected: Any = _TYPES[column.kind]
    if not isinstance(value, expected) or (isinstance(value, bool) and column.kind != "bool"):
        return f"is {type(value).__name__}, expected {column.kind}"
    if column.kind in ("id", "ref") and not 0 < value <= _MOST_ID:
        return "is not an id"
    if column.kind == "int" and abs(value) > _MOST_ID:
        return "is out of range"
    if column.kind == "float" and not math.isfinite(value):
        return "is not a finite number"
    return _text_problem(column, value) if isinstance(value, str) else ""


def _text_problem(column: Column, value: str) -> str:
    if "\0" in value:
        return "holds a NUL character"
    if column.kind != "time":
        return ""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return "is not a time: expected ISO 8601"
    return "" if moment.tzinfo is not None else "is a time without a zone"


def column_of(table: str, facts: Any) -> Column:
    """A column by what a manifest says of it. Raises: InvalidInput."""
    kinds = {**_TYPES, "json": (), "refs": ()}
    good = (
        isinstance(facts, dict)
        and isinstance(facts.get("name"), str)
        and isinstance(facts.get("to"), str)
        and isinstance(facts.get("null"), bool)
        and isinstance(facts.get("kind"), str)
        and facts["kind"] in kinds
    )
    if not good:
        raise InvalidInput(f"table {table[:60]!r} has a column of an unknown form")
    return Column(facts["name"], facts["kind"], facts["to"], null=facts["null"])
