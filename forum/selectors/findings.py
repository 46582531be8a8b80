"""Which findings a reader asks for, in which order, a page at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, QuerySet

from forum.models import Finding, FindingExperiment, FindingParent, Pin
from forum.selectors.paging import BEST, NEW, OLD, TOP, page_of_ids
from forum.selectors.search import ParsedQuery, search_query

if TYPE_CHECKING:
    from experiments.permissions import Actor

ORDERS = {NEW: "Newest", TOP: "Top voted", OLD: "Oldest"}
SEARCH_ORDERS = {BEST: "Best match", **ORDERS}


@dataclass(frozen=True, slots=True)
class Found:
    """One page. query: set where text was searched; ranks: of each row where the best match comes first."""

    rows: list[Finding]
    following: str | None
    preceding: str | None
    query: ParsedQuery | None
    ranks: Mapping[int, float]


def findings(user: "Actor", filters: Mapping[str, Any], *, order: str = "", cursor: str = "", size: int = 25) -> Found:
    """One page of what the filters let through; empty or missing ones do not filter.

    filters: kind, author (username), experiment (id), parent (id), campaign (number), search (text),
    after (an id, or a moment), pinned (True).
    order: one of SEARCH_ORDERS; by default the best match first where text is searched, else the newest.
    Raises: BadCursor.
    """
    found = _filtered(Finding.objects.visible_to(user), filters)
    text = filters.get("search") or ""
    query = search_query(text) if text else None
    order = order or (BEST if query else NEW)
    if query is None and order == BEST:
        order = NEW
    if query is not None and order != BEST:
        found = found.filter(search=query)
    page = page_of_ids(found, order, cursor=cursor, size=size, query=query)
    by_id = Finding.objects.select_related("author", "tally").defer("search", "title_search").in_bulk(page.ids)
    rows = [by_id[key] for key in page.ids]
    return Found(rows, page.following, page.preceding, query, page.ranks)


def _filtered(found: QuerySet[Any], filters: Mapping[str, Any]) -> QuerySet[Any]:
    columns = {"kind": "kind", "author": "author__username", "campaign": "campaign"}
    found = found.filter(
        **{column: filters[name] for name, column in columns.items() if filters.get(name) not in (None, "")}
    )
    for name, link, column in (
        ("experiment", FindingExperiment, "experiment"),
        ("parent", FindingParent, "parent"),
    ):
        if filters.get(name):
            links = link.objects.filter(**{column: filters[name]}, finding=OuterRef("pk"))
            found = found.filter(Exists(links))
    if filters.get("pinned"):
        found = found.filter(Exists(Pin.objects.filter(finding=OuterRef("pk"), removed_at__isnull=True)))
    after = filters.get("after")
    if isinstance(after, datetime):
        found = found.filter(created_at__gt=after)
    elif after is not None and after != "":
        found = found.filter(pk__gt=after)
    return found
