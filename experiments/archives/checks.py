"""Is a row of an archive one that this lab could have written? Asked of every value before any is stored."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import connection
from django.db.models import Field, IntegerField, Model

from experiments.archives.columns import TYPES, Column, Row, attr_of
from experiments.archives.forms import form_problem
from experiments.errors import InvalidInput

_MOST_ID = 2**63 - 1
_DEEPEST = 200  # levels of JSON: more than anybody writes, fewer than programs that read it take
_MOST_SHOWN = 8  # of the values that are allowed

Problem = Callable[[Any], str]


def check_row(columns: Sequence[Column], row: object, place: str, model: type[Model] | None = None) -> Row:
    """The row, if it holds exactly these columns with values that they, and the model's columns, take.

    place: file and line. Raises: InvalidInput naming place and column.
    """
    if not isinstance(row, dict):
        raise InvalidInput(f"{place}: not an object")
    names = [column.name for column in columns]
    if sorted(row) != sorted(names):
        odd = sorted(set(row) ^ set(names))
        raise InvalidInput(f"{place}: columns {', '.join(map(str, odd))[:200]} are missing or not known")
    for column in columns:
        value = row[column.name]
        problem = _problem(column, value)
        if not problem and value is not None and model is not None:
            problem = next((said for limit in _limits(column, model) if (said := limit(value))), "")
        if problem:
            raise InvalidInput(f"{place}: {column.name}{problem if problem[:1] in '.:[' else f' {problem}'}")
    return row


def _problem(column: Column, value: Any) -> str:
    if value is None:
        return "" if column.null else "is missing"
    if not isinstance(value, TYPES[column.kind]) or (isinstance(value, bool) and column.kind not in ("bool", "json")):
        return f"is {type(value).__name__}, expected {column.kind}"
    checks: dict[str, Problem] = {
        "id": _id_problem, "ref": _id_problem, "refs": _ids_problem, "int": _int_problem, "float": _float_problem,
        "text": _text_problem, "time": _time_problem, "json": _json_problem,
    }  # fmt: skip
    problem = checks[column.kind](value) if column.kind in checks else ""
    return problem or (form_problem(column.form, value) if column.form is not None else "")


def _id_problem(value: int) -> str:
    return "" if 0 < value <= _MOST_ID else "is not an id"


def _ids_problem(value: list[Any]) -> str:
    good = all(type(each) is int and 0 < each <= _MOST_ID for each in value)
    return "" if good and len(set(value)) == len(value) else "is not a list of different ids"


def _int_problem(value: int) -> str:
    return "" if abs(value) <= _MOST_ID else "is out of range"


def _float_problem(value: float) -> str:
    try:
        return "" if math.isfinite(value) else "is not a finite number"
    except OverflowError:
        return "is out of range"


def _text_problem(value: str) -> str:
    if "\0" in value:
        return "holds a NUL character"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate)"
    return ""


def _time_problem(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return "is a time without a zone"
        written = moment.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return "is not a time: expected ISO 8601"
    return "" if value == written else f"is a time in another form than {written}"


def _json_problem(value: Any) -> str:
    """Texts, numbers and depth of all that is in it: the database takes neither NUL nor infinity."""
    level = [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += [*each.keys(), *each.values()]
            elif isinstance(each, list):
                below += each
            elif isinstance(each, str) and (problem := _text_problem(each)):
                return problem
            elif isinstance(each, float) and not math.isfinite(each):
                return "holds a number that is not finite"
        if not below:
            return ""
        level = below
    return f"nests deeper than {_DEEPEST} levels"


@cache
def _limits(column: Column, model: type[Model]) -> tuple[Problem, ...]:
    """What the model's column takes: its choices, its length, its range."""
    field = _field(column, model)
    if field is None:
        return ()
    if field.choices:
        allowed = [str(each) for each, _ in field.flatchoices] + ([""] if field.blank else [])
        shown = ", ".join(allowed[:_MOST_SHOWN])
        return (lambda value: "" if value in allowed else f"is {str(value)[:60]!r}, expected one of {shown}",)
    if column.kind == "text" and field.max_length:
        most = field.max_length
        return (lambda value: "" if len(value) <= most else f"has {len(value):,} characters, expected at most {most}",)
    if column.kind == "int" and isinstance(field, IntegerField):
        low, high = connection.ops.integer_field_range(field.get_internal_type())
        low = -_MOST_ID if low is None else low
        high = _MOST_ID if high is None else high
        return (lambda value: "" if low <= value <= high else f"is out of range: expected {low} to {high}",)
    return ()


def _field(column: Column, model: type[Model]) -> "Field[Any, Any] | None":
    """Of a plain value; references are checked against the archive."""
    if column.kind not in ("text", "int"):
        return None
    try:
        found = model._meta.get_field(attr_of(column))
    except FieldDoesNotExist:  # worked out from other columns
        return None
    return found if isinstance(found, Field) else None
