"""The forum's list as its page shows it: a page of findings, the pinned ones, what is unread."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef

from forum.models import Finding
from forum.selectors.findings import findings
from forum.selectors.shown import ShownFinding, shown_findings
from forum.selectors.unread import COUNT_LIMIT, unread_count, unread_of
from forum.services.reading import open_reader

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PAGE_SIZE = 25
MOST_PINNED = 5
MOST_NAMES = 200  # suggestions of a text field, not a list to choose from


@dataclass(frozen=True, slots=True)
class ForumRow:
    """One line of the list. new: never opened; answered: has comments since it was."""

    shown: ShownFinding
    new: bool
    answered: bool


@dataclass(frozen=True, slots=True)
class ForumPage:
    """Rows with the query strings of the neighbouring pages; unread is how many findings were never opened."""

    rows: list[ForumRow]
    pinned: list[ForumRow]
    next: str | None
    previous: str | None
    first: str | None
    unread: int
    searched: bool

    @property
    def unread_text(self) -> str:
        """The number, or 99+."""
        return f"{COUNT_LIMIT}+" if self.unread > COUNT_LIMIT else str(self.unread)


def forum_page(user: "User", filters: Mapping[str, Any], *, cursor: str = "", size: int = PAGE_SIZE) -> ForumPage:
    """One page of what the filters let through; the pinned come first where nothing is filtered. Raises: BadCursor."""
    found = findings(user, filters, order=filters.get("order", ""), cursor=cursor, size=size)
    plain = not cursor and not set(filters) - {"order"}
    pinned = findings(user, {"pinned": True}, size=MOST_PINNED).rows if plain else []
    reader = open_reader(user=user)
    shown = shown_findings(user, [*pinned, *found.rows], query=found.query)
    unread = unread_of(reader, [*pinned, *found.rows])
    rows = [
        ForumRow(each, new=each.finding.pk in unread.findings, answered=each.finding.pk in unread.commented)
        for each in shown
    ]
    kept = {key: value for key, value in filters.items() if value}
    return ForumPage(
        rows=rows[len(pinned) :],
        pinned=rows[: len(pinned)],
        next=found.following and urlencode({**kept, "cursor": found.following}),
        previous=found.preceding and urlencode({**kept, "cursor": found.preceding}),
        first=(urlencode(kept) or "cursor=") if cursor else None,
        unread=unread_count(user, reader),
        searched=found.query is not None,
    )


def authors() -> list[str]:
    """Names of accounts that have posted, for the filter's suggestions."""
    own = Finding.objects.filter(author=OuterRef("pk"))
    names = get_user_model().objects.filter(Exists(own)).order_by("username").values_list("username", flat=True)
    return list(names[:MOST_NAMES])
