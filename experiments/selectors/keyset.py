"""Keyset pages: neighbours of a row in an order, whatever the table's size."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db.models import F, Q, QuerySet

_LARGEST = 2**63


class BadCursor(SuspiciousOperation):
    """A cursor that no page of ours gave out; Django answers 400."""


@dataclass(frozen=True, slots=True)
class Window:
    """One page of rows and the cursors of its neighbours, None at an end."""

    rows: list[Any]
    following: str | None
    preceding: str | None


def window(queryset: QuerySet[Any], *, order: str, cursor: str, size: int) -> Window:
    """Up to `size` rows of `queryset` in `order`, from where `cursor` points; the newest row first among equals.

    order: "-id", "dev_pgr", "-dev_pgr", …: a number field; rows without a value come last both ways.
    cursor: "" for the first page. Raises: BadCursor.
    """
    field, descending = order.removeprefix("-"), order.startswith("-")
    mark = _read(cursor) if cursor else None
    back = mark is not None and mark[2]
    if mark is not None:
        queryset = queryset.filter(_beyond(field, descending, *mark))
    rows = list(queryset.order_by(*_ordering(field, descending, back))[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if back:
        rows.reverse()
    has_next, has_previous = (True, more) if back else (more, mark is not None)
    return Window(
        rows=rows,
        following=_write(rows[-1], field, back=False) if rows and has_next else None,
        preceding=_write(rows[0], field, back=True) if rows and has_previous else None,
    )


def _ordering(field: str, descending: bool, back: bool) -> list[Any]:
    down = descending != back
    if field == "id":
        return ["-id" if down else "id"]
    nulls = {"nulls_first": True} if back else {"nulls_last": True}
    by_value = F(field).desc(**nulls) if down else F(field).asc(**nulls)
    return [by_value, "id" if back else "-id"]


def _beyond(field: str, descending: bool, value: float | None, pk: int, back: bool) -> Q:
    down = descending != back
    if field == "id":
        return Q(id__lt=pk) if down else Q(id__gt=pk)
    tie = Q(id__gt=pk) if back else Q(id__lt=pk)
    empty = Q(**{f"{field}__isnull": True})
    if value is None:
        return (~empty | tie) if back else (empty & tie)
    past = Q(**{f"{field}__{'lt' if down else 'gt'}": value}) | (Q(**{field: value}) & tie)
    return past if back else past | empty


def _write(row: Any, field: str, *, back: bool) -> str:
    text = json.dumps([getattr(row, field), row.pk, back])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[float | None, int, bool]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        value, pk, back = json.loads(text)
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadCursor("unknown page") from error
    if not (_is_number(pk) and isinstance(back, bool) and (value is None or _is_number(value))):
        raise BadCursor("unknown page")
    return value, pk, back


def _is_number(value: Any) -> bool:
    """What JSON calls a number, within what the columns hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
