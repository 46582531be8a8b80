"""What of a campaign lies in the forum: findings with what they cite, comments, votes. Hidden ones stay behind."""

import re
from typing import Any, Literal

from django.db.models import Exists, OuterRef, QuerySet

from experiments.archives.columns import Column, Row
from experiments.archives.left_out import LeftOut
from experiments.archives.parts import imported_ids
from experiments.archives.tables import Names, Scope, Table, World
from experiments.errors import InvalidInput
from experiments.texts import clean_line
from forum.hidden_texts import hidden_words
from forum.models import (
    MOST_BODY,
    MOST_COMMENT,
    MOST_TITLE,
    Comment,
    Finding,
    FindingExperiment,
    FindingParent,
    Hide,
    Vote,
)
from forum.references import PATTERN, read_reference
from forum.services.posting import check_markdown

_REDACTED = 1_000  # characters by which what stands for a secret may make a text longer


def collect(scope: Scope) -> None:
    """Findings of the campaign and those they build on, as far as nobody hid them; the experiments they cite."""
    scope.unsaid = hidden_words()
    if scope.imported is not None:
        shown = Finding.objects.shown().filter(pk__in=imported_ids(scope, "findings"))
        scope.ids["findings"] = set(shown.values_list("pk", flat=True))
        return
    found = set(Finding.objects.shown().filter(campaign=scope.campaign).values_list("pk", flat=True))
    fresh = set(found)
    while fresh:
        parents = FindingParent.objects.filter(finding__in=fresh).values("parent")
        fresh = set(Finding.objects.shown().filter(pk__in=parents).values_list("pk", flat=True)) - found
        found |= fresh
    scope.ids["findings"] = found
    cited = FindingExperiment.objects.filter(finding__in=found).values_list("experiment", flat=True)
    scope.ids.setdefault("experiments", set()).update(cited)


class Findings(Table):
    """Threads. References in a text follow their experiments; one that did not come along is no reference any more."""

    name = "findings"
    model = Finding
    columns = (
        Column("id", "id"), Column("inside", "bool"), Column("kind"), Column("title"), Column("body"),
        Column("author", "ref", "people"), Column("created_at", "time"), Column("experiments", "refs", "experiments"),
        Column("parents", "refs", "findings"),
    )  # fmt: skip
    told = frozenset({"id", "inside", "kind", "title", "body", "author", "created_at", "experiments", "parents"})
    translated = frozenset({"body"})
    after = frozenset({"campaigns"})

    def base(self) -> QuerySet[Any]:
        """With links."""
        return super().base().defer("search").prefetch_related("experiment_links", "parent_links")

    def select(self, scope: Scope) -> QuerySet[Any]:
        """As collected."""
        return self.base().filter(pk__in=scope.ids["findings"])

    def admits(self, row: Any, scope: Scope) -> bool:
        """Unless it was hidden here."""
        return row.pk in scope.ids["findings"]

    def read(self, row: Any, names: Names, scope: Scope) -> Row:
        """inside: posted in the campaign, not only built on by it."""
        shown = scope.ids.get("findings")
        parents = [each.parent_id for each in row.parent_links.all() if shown is None or each.parent_id in shown]
        return {
            "id": names.original(self.name, row.pk),
            "inside": row.campaign == scope.campaign,
            "kind": row.kind,
            "title": row.title,
            "body": row.body,
            "author": names.original("people", row.author_id),
            "created_at": row.created_at.isoformat(timespec="microseconds"),
            "experiments": _sorted(names, "experiments", [each.experiment_id for each in row.experiment_links.all()]),
            "parents": _sorted(names, self.name, parents),
        }

    def checked(self, row: object, place: str) -> Row:
        """Texts as this lab would take them: they are shown to everybody."""
        found = super().checked(row, place)
        try:
            line = clean_line(found["title"], pointer="title", most=MOST_TITLE)
        except InvalidInput as error:
            raise InvalidInput(f"{place}: title {error}") from None
        if line != found["title"]:
            raise InvalidInput(f"{place}: title is not one trimmed line")
        _check_body(found["body"], place, MOST_BODY)
        return found

    def restore(self, row: Row, world: World) -> Any:
        """Links are as many as it is said to have: the database takes no more."""
        made = Finding(
            kind=row["kind"], title=row["title"], body=remapped(row["body"], world), created_at=row["created_at"],
            author_id=world.locals["people"][row["author"]], campaign=world.campaign if row["inside"] else 0,
            experiment_count=len(row["experiments"]), parent_count=len(row["parents"]),
        )  # fmt: skip
        made.save_base(raw=True, force_insert=True)
        experiments = [world.locals["experiments"][each] for each in row["experiments"]]
        parents = [world.locals[self.name][each] for each in row["parents"]]
        FindingExperiment.objects.bulk_create(FindingExperiment(finding=made, experiment_id=key) for key in experiments)
        FindingParent.objects.bulk_create(FindingParent(finding=made, parent_id=key) for key in parents)
        made.refresh_from_db()
        return made


class Comments(Table):
    """Answers."""

    name = "comments"
    model = Comment
    columns = (
        Column("id", "id"), Column("finding", "ref", "findings"), Column("author", "ref", "people"), Column("body"),
        Column("created_at", "time"),
    )  # fmt: skip
    told = frozenset({"id", "finding", "author", "body", "created_at"})
    translated = frozenset({"body"})

    def base(self) -> QuerySet[Any]:
        """That nobody hid."""
        rows: QuerySet[Any] = super().base()
        hides: QuerySet[Any] = Hide.objects.standing().filter(comment=OuterRef("pk"))
        found: QuerySet[Any] = rows.annotate(hidden=Exists(hides))
        return found

    def select(self, scope: Scope) -> QuerySet[Any]:
        """On the findings that go along."""
        return self.base().filter(finding__in=scope.ids["findings"], hidden=False)

    def admits(self, row: Any, scope: Scope) -> bool:
        """Unless it or its finding was hidden here."""
        return not row.hidden and row.finding_id in scope.ids["findings"]

    def checked(self, row: object, place: str) -> Row:
        """As in findings."""
        found = super().checked(row, place)
        _check_body(found["body"], place, MOST_COMMENT)
        return found

    def fields(self, row: Row, world: World) -> dict[str, Any]:
        """References as in findings."""
        return super().fields(row, world) | {"body": remapped(row["body"], world)}


class Votes(Table):
    """One per reader and finding."""

    name = "votes"
    model = Vote
    columns = (
        Column("id", "id"), Column("finding", "ref", "findings"), Column("voter", "ref", "people", "user_id"),
        Column("value", "int", form=Literal[-1, 0, 1]), Column("changed_at", "time"),
    )  # fmt: skip
    told = frozenset({"id", "finding", "voter", "value", "changed_at"})

    def select(self, scope: Scope) -> QuerySet[Any]:
        """On the findings that go along."""
        return self.base().filter(finding__in=scope.ids["findings"])

    def admits(self, row: Any, scope: Scope) -> bool:
        """Unless its finding was hidden here."""
        return row.finding_id in scope.ids["findings"]


def remapped(text: str, world: World) -> str:
    """The text with references to the rows of this lab; `{{pgr exp:12 there}}` is none, and shown as typed."""

    def here(match: re.Match[str]) -> str:
        asked = read_reference(match)
        local_id = world.locals.get(f"{asked.kind}s", {}).get(asked.key)
        start, end = match.start("key") - match.start(), match.end("key") - match.start()
        whole = match[0]
        return f"{whole[:start]}{f'{whole[start:end]} there' if local_id is None else local_id}{whole[end:]}"

    return PATTERN.sub(here, text)


def _check_body(body: str, place: str, most: int) -> None:
    try:
        check_markdown(body, most=most + _REDACTED)
    except InvalidInput as error:
        raise InvalidInput(f"{place}: body {error}") from None


def _sorted(names: Names, table: str, ids: list[int]) -> list[int]:
    found = [names.original(table, each) for each in ids]
    return sorted(each for each in found if each is not None)


TABLES: list[Table] = [Findings(), Comments(), Votes()]
LEFT_OUT: LeftOut = {
    "forum.Finding": {
        "campaign": "inside says it",
        **dict.fromkeys(("experiment_count", "parent_count"), "follow from experiments and parents"),
        **dict.fromkeys(("search", "title_search"), "made of title and body"),
    },
    "forum.FindingExperiment": "the column experiments of findings",
    "forum.FindingParent": "the column parents of findings",
    "forum.Tally": "follows from votes and comments",
    "forum.Hide": "what is hidden stays behind, and who hid it",
    "forum.Pin": "what readers of this lab are shown first",
    "forum.Reader": "what somebody has read",
    "forum.ReadMark": "what somebody has read",
}
