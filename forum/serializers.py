"""The forum's API: what is posted, what is asked, what is told."""

from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from experiments.serializers.fields import Choice, Input, PageQuery
from forum.models import MOST_BODY, MOST_COMMENT, MOST_TITLE, Kind
from forum.selectors.search import MOST_SEARCH
from forum.selectors.shown import ShownFinding
from forum.services.posting import MOST_EXPERIMENTS, MOST_PARENTS

ORDERS = {
    "-id": "-id", "id": "id", "-created_at": "-id", "created_at": "id", "-score": "-score", "new": "-id",
    "top": "-score", "-rank": "-rank", "rank": "-rank",
}  # fmt: skip
_LARGEST_ID = 2**63 - 1
_MARKDOWN = (
    "Markdown; `{{pgr exp:12}}`, `{{accuracy exp:12}}`, `{{exp:12}}` and `{{finding:7}}` show the ledger's numbers"
)


def _ids(most: int, help_text: str) -> serializers.ListField:
    child = serializers.IntegerField(min_value=1, max_value=_LARGEST_ID)
    return serializers.ListField(child=child, required=False, default=list, max_length=most, help_text=help_text)


class FindingInput(Input):
    """A new finding. It cannot be changed or deleted: corrections are comments."""

    kind = Choice(choices=Kind.choices)
    title = serializers.CharField(max_length=MOST_TITLE)
    body = serializers.CharField(max_length=MOST_BODY, trim_whitespace=False, help_text=_MARKDOWN)
    experiments = _ids(MOST_EXPERIMENTS, "Ids of the experiments it speaks of")
    parents = _ids(MOST_PARENTS, "Ids of the findings it builds on")


class CommentInput(Input):
    """An answer to a finding."""

    body = serializers.CharField(max_length=MOST_COMMENT, trim_whitespace=False, help_text=_MARKDOWN)


class VoteInput(Input):
    """1, -1, or 0 to take a vote back."""

    value = Choice(choices=[1, -1, 0])


@extend_schema_field({"oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "format": "date-time"}]})
class After(serializers.Field[Any, Any, Any, Any]):
    """The id of a finding, or a moment."""

    def to_internal_value(self, data: Any) -> int | datetime:
        text = str(data)
        if text.isascii() and text.isdecimal() and int(text) <= _LARGEST_ID:
            return int(text)
        try:  # a "+" of an offset that was not encoded arrives as a space
            moment = parse_datetime(text.replace(" ", "+")) or parse_datetime(text)
            # PostgreSQL takes no offset beyond 16 hours, so it gets none
            moment = moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            moment = None
        if moment is None:
            raise serializers.ValidationError("expected an id or a moment such as 2026-01-31T12:00:00Z", code="invalid")
        return moment

    def to_representation(self, value: Any) -> Any:
        return value


class FindingQuery(PageQuery):
    """Filters, search and order of the list of findings."""

    search = serializers.CharField(
        required=False, max_length=MOST_SEARCH, help_text='Words, "a phrase", or, -without; ranked unless ordered'
    )
    kind = Choice(choices=Kind.choices, required=False)
    author = serializers.CharField(required=False, max_length=150, help_text="Name of the account")
    experiment = serializers.IntegerField(required=False, min_value=1, max_value=_LARGEST_ID, help_text="Speaks of it")
    parent = serializers.IntegerField(  # type: ignore[assignment] # DRF takes fields off the class
        required=False, min_value=1, max_value=_LARGEST_ID, help_text="Builds on it"
    )
    campaign = serializers.IntegerField(required=False, min_value=0, max_value=_LARGEST_ID)
    after = After(required=False, help_text="Newer than the finding with this id, or than this moment")
    pinned = serializers.BooleanField(required=False, default=False, help_text="Only what people have pinned")
    ordering = Choice(
        choices=list(ORDERS), required=False, help_text="Best match first if text is searched, else newest first"
    )


class HideFacts(serializers.Serializer[Any]):
    """That something is hidden, for those who may still see it."""

    reason = serializers.CharField()
    by = serializers.CharField(source="hidden_by.username")
    at = serializers.DateTimeField(source="hidden_at")


class Finding(serializers.Serializer[Any]):
    """One line of the list."""

    id = serializers.IntegerField(source="finding.pk")
    kind = serializers.ChoiceField(source="finding.kind", choices=Kind.choices)
    title = serializers.CharField(source="finding.title")
    body = serializers.CharField(source="finding.body", help_text="As it was written")
    html = serializers.CharField(help_text="Rendered and sanitised; badges of class `ledger` are the lab's own numbers")
    author = serializers.CharField(source="finding.author.username")
    campaign = serializers.IntegerField(source="finding.campaign")
    created_at = serializers.DateTimeField(source="finding.created_at")
    experiments = serializers.ListField(child=serializers.IntegerField())
    parents = serializers.ListField(child=serializers.IntegerField())
    score = serializers.IntegerField(source="tally.score", help_text="Votes for it minus votes against it")
    ups = serializers.IntegerField(source="tally.ups")
    downs = serializers.IntegerField(source="tally.downs")
    my_vote = serializers.IntegerField()
    comment_count = serializers.IntegerField(source="tally.comments")
    pinned = serializers.BooleanField(source="is_pinned")
    hidden = HideFacts(source="hide", allow_null=True, help_text="Null, but for those who may hide")
    url = serializers.CharField(help_text="Its page")


class FoundFinding(Finding):
    """One line of a list that was searched."""

    rank = serializers.SerializerMethodField(help_text="Null unless the best match comes first")
    title_html = serializers.CharField(required=False, help_text="Where it matched, in <mark>")
    snippet_html = serializers.CharField(
        source="excerpt", required=False, help_text="Where it matched, in <mark>, with badges of the ledger"
    )

    def get_rank(self, shown: ShownFinding) -> float | None:
        """From what the search has found."""
        ranks: dict[int, float] = self.context["ranks"]
        return ranks.get(shown.finding.pk)


class Comment(serializers.Serializer[Any]):
    """An answer; text and HTML are empty where it is hidden."""

    id = serializers.IntegerField(source="comment.pk")
    finding = serializers.IntegerField(source="comment.finding_id")
    author = serializers.CharField(source="comment.author.username")
    body = serializers.CharField(allow_blank=True)
    html = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField(source="comment.created_at")
    hidden = HideFacts(source="hide", allow_null=True)


class Neighbour(serializers.Serializer[Any]):
    """A finding beside this one."""

    id = serializers.IntegerField(source="pk")
    kind = serializers.ChoiceField(choices=Kind.choices)
    title = serializers.CharField()
    author = serializers.CharField(source="author.username")


class Related(serializers.Serializer[Any]):
    """A finding that resembles this one."""

    id = serializers.IntegerField(source="finding.pk")
    kind = serializers.ChoiceField(source="finding.kind", choices=Kind.choices)
    title = serializers.CharField(source="finding.title")
    similarity = serializers.FloatField(help_text="Share of this one's telling words, weighted by rarity, that it has")


class FindingDetail(Finding):
    """One finding with its thread."""

    comments = Comment(many=True, help_text="The first ones; `GET findings/{id}/comments/` has all")
    children = Neighbour(many=True, help_text="Findings that build on it")
    related = Related(many=True)


class Votes(serializers.Serializer[Any]):
    """The counts after a vote."""

    finding = serializers.IntegerField(source="tally.pk")
    value = serializers.IntegerField(help_text="This reader's own vote")
    score = serializers.IntegerField(source="tally.score")
    ups = serializers.IntegerField(source="tally.ups")
    downs = serializers.IntegerField(source="tally.downs")
