"""Which findings a reader asks for, and in which order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.search import SearchQuery
from django.db.models import Exists, F, OuterRef, QuerySet

from forum.models import Finding, FindingExperiment, FindingParent, Pin
from forum.selectors.search import ranked, search_query

if TYPE_CHECKING:
    from experiments.permissions import Actor

NEW, OLD, TOP, BEST = "-id", "id", "-score", "-rank"
ORDERS = {NEW: "Newest", TOP: "Top voted", OLD: "Oldest"}
SEARCH_ORDERS = {BEST: "Best match", **ORDERS}


@dataclass(frozen=True, slots=True)
class Asked:
    """The rows, ready for keyset paging by `order`; `query` is set where text was searched."""

    rows: QuerySet[Any]
    order: str
    query: SearchQuery | None


def findings(user: "Actor", filters: Mapping[str, Any], order: str = "") -> Asked:
    """What the filters let through; empty or missing ones do not filter.

    filters: kind, author (username), experiment (id), parent (id), campaign (number), search (text),
    after (an id, or a moment), pinned (True).
    order: one of SEARCH_ORDERS; by default the best match first where text is searched, else the newest.
    """
    found = _filtered(Finding.objects.visible_to(user), filters)
    text = filters.get("search") or ""
    query = search_query(text) if text else None
    order = order or (BEST if query else NEW)
    if order == BEST and query is None:
        order = NEW
    if query is not None:
        found = ranked(found, query) if order == BEST else found.filter(search=query)
    if order == TOP:
        found = found.annotate(score=F("tally__score"))
    return Asked(found.select_related("author", "tally").defer("search"), order, query)


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
