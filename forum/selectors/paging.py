"""Keyset pages of findings: only numbers are read to find a page, its rows afterwards, so wide rows cost nothing."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet

from experiments.selectors.keyset import BadCursor
from forum.selectors.search import ranks

if TYPE_CHECKING:
    from forum.selectors.search import ParsedQuery

NEW, OLD, TOP, BEST = "-id", "id", "-score", "-rank"

Place = tuple[
    float, int
]  # where a finding stands in an order: its score or rank (0 where the id alone decides), its id


@dataclass(frozen=True, slots=True)
class PageOfIds:
    """Ids in order, with the cursors of the neighbouring pages, None at an end; ranks where the order is BEST."""

    ids: list[int]
    following: str | None
    preceding: str | None
    ranks: dict[int, float]


def page_of_ids(
    found: QuerySet[Any], order: str, *, cursor: str, size: int, query: "ParsedQuery | None" = None
) -> PageOfIds:
    """Up to `size` ids from where `cursor` points. query: what BEST ranks by. Raises: BadCursor."""
    mark, back = _read(cursor) if cursor else (None, False)
    if order == BEST and query is not None:
        places = _ranked(found, query, mark, back)
    elif order == TOP:
        places = _scored(found, mark, back, size + 1)
    else:
        places = _numbered(found, mark, back, size + 1, descending=order != OLD)
    more, places = len(places) > size, places[:size]
    if back:
        places.reverse()
    has_next, has_previous = (True, more) if back else (more, mark is not None)
    return PageOfIds(
        ids=[key for _, key in places],
        following=_write(places[-1], back=False) if places and has_next else None,
        preceding=_write(places[0], back=True) if places and has_previous else None,
        ranks={key: value for value, key in places} if order == BEST else {},
    )


def _numbered(found: QuerySet[Any], mark: Place | None, back: bool, count: int, *, descending: bool) -> list[Place]:
    down = descending != back
    if mark is not None:
        found = found.filter(pk__lt=mark[1]) if down else found.filter(pk__gt=mark[1])
    return [(0.0, key) for key in found.order_by("-pk" if down else "pk").values_list("pk", flat=True)[:count]]


def _scored(found: QuerySet[Any], mark: Place | None, back: bool, count: int) -> list[Place]:
    # every finding has a tally; saying so makes it an inner join, whose order the index on the tally gives
    found = found.filter(tally__isnull=False)
    if mark is not None:
        score, key = int(mark[0]), mark[1]
        # the first condition is implied by the second; it is there for the index
        if back:
            found = found.filter(tally__score__gte=score).filter(Q(tally__score__gt=score) | Q(tally__pk__gt=key))
        else:
            found = found.filter(tally__score__lte=score).filter(Q(tally__score__lt=score) | Q(tally__pk__lt=key))
    order = ("tally__score", "pk") if back else ("-tally__score", "-pk")
    return list(found.order_by(*order).values_list("tally__score", "pk")[:count])


def _ranked(found: QuerySet[Any], query: "ParsedQuery", mark: Place | None, back: bool) -> list[Place]:
    places = sorted(ranks(found, query), reverse=not back)
    if mark is None:
        return places
    return [each for each in places if (each > mark if back else each < mark)]


def _write(place: Place, *, back: bool) -> str:
    return base64.urlsafe_b64encode(json.dumps([*place, back]).encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[Place, bool]:
    try:
        value, key, back = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadCursor("unknown page") from error
    known = type(key) is int and type(back) is bool and type(value) in (int, float)
    if not (known and abs(key) < 2**63 and abs(value) < 2**31):
        raise BadCursor("unknown page")
    return (value, key), back
