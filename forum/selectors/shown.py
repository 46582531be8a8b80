"""Findings and comments with everything that a list or an API answer shows of them, in a bounded number of queries."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.search import SearchQuery
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString

from forum.models import Comment, Finding, FindingExperiment, FindingParent, Hide, Pin, Tally, Vote
from forum.permissions import can_curate
from forum.rendering import render
from forum.selectors.search import snippets

if TYPE_CHECKING:
    from experiments.permissions import Actor


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """One finding for one reader. hide: only curators see hidden findings at all."""

    finding: Finding
    tally: Tally
    html: SafeString
    title_html: SafeString
    excerpt: SafeString
    experiments: list[int]
    parents: list[int]
    my_vote: int
    pin: Pin | None
    hide: Hide | None

    @property
    def is_pinned(self) -> bool:
        """Whether a person put it on top."""
        return self.pin is not None

    @property
    def url(self) -> str:
        """Its page."""
        return reverse("finding", args=[self.finding.pk])


@dataclass(frozen=True, slots=True)
class ShownComment:
    """One comment for one reader; `html` and `body` are empty where it is hidden from them."""

    comment: Comment
    body: str
    html: SafeString
    hide: Hide | None


def shown_findings(
    user: "Actor", findings: Sequence[Finding], *, query: SearchQuery | None = None, base: str = ""
) -> list[ShownFinding]:
    """In the given order; nine queries at most. query: makes titles and excerpts show where it matched."""
    ids = [each.pk for each in findings]
    experiments = _links(FindingExperiment, "experiment_id", ids)
    parents = _links(FindingParent, "parent_id", ids)
    votes = dict(Vote.objects.filter(user_id=user.pk or 0, finding__in=ids).values_list("finding_id", "value"))
    pins = {each.finding_id: each for each in Pin.objects.filter(finding__in=ids, removed_at__isnull=True)}
    hides = _hides(user, "finding", ids)
    marked = snippets(ids, query) if query is not None and ids else {}
    rendered = render([each.body for each in findings], user, base=base)
    return [
        ShownFinding(
            finding=each,
            tally=each.tally,
            html=text.html,
            title_html=marked[each.pk][0] if each.pk in marked else escape(each.title),
            excerpt=text.fill(marked[each.pk][1]) if each.pk in marked else text.excerpt,
            experiments=experiments[each.pk],
            parents=parents[each.pk],
            my_vote=votes.get(each.pk, 0),
            pin=pins.get(each.pk),
            hide=hides.get(each.pk),
        )
        for each, text in zip(findings, rendered, strict=True)
    ]


def shown_comments(user: "Actor", comments: Sequence[Comment]) -> list[ShownComment]:
    """In the given order; four queries at most. Comments need their authors."""
    standing = Hide.objects.standing().filter(comment__in=[each.pk for each in comments])
    hides = {each.comment_id: each for each in standing.select_related("hidden_by")}
    readable = can_curate(user)
    texts = [each.body if readable or each.pk not in hides else "" for each in comments]
    return [
        ShownComment(comment=each, body=body, html=text.html, hide=hides.get(each.pk))
        for each, body, text in zip(comments, texts, render(texts, user), strict=True)
    ]


def _links(kind: type[FindingExperiment] | type[FindingParent], column: str, ids: list[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    links: Any = kind.objects.filter(finding__in=ids).order_by("pk")  # the author's order
    for finding_id, key in links.values_list("finding_id", column):
        found[finding_id].append(key)
    return found


def _hides(user: "Actor", target: str, ids: list[int]) -> dict[int, Hide]:
    if not can_curate(user):
        return {}
    standing = Hide.objects.standing().filter(**{f"{target}__in": ids}).select_related("hidden_by")
    return {getattr(each, f"{target}_id"): each for each in standing}
