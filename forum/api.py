"""The forum's API: post, read, search, comment, vote; for people also hide and pin."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.access import caller, respond
from experiments.api.experiments import IDEMPOTENCY
from experiments.api.reading import BadQuery, idempotency_key, link, page, read_body, read_query
from experiments.errors import InvalidInput
from experiments.selectors.keyset import BadCursor
from experiments.serializers.fields import PageQuery, ReasonInput, page_of
from experiments.services.idempotency import once
from forum import serializers as shapes
from forum.selectors.finding_page import Thread, comments_of, finding_of, thread
from forum.selectors.findings import findings
from forum.selectors.shown import shown_comments, shown_findings
from forum.services.curation import hide, pin, unhide, unpin
from forum.services.posting import comment, post_finding
from forum.services.voting import vote

if TYPE_CHECKING:
    from collections.abc import Callable


class Findings(APIView):
    """The campaign's memory."""

    @extend_schema(
        operation_id="findings_list",
        parameters=[shapes.FindingQuery],
        responses=page_of(shapes.FoundFinding, "FindingPage"),
    )
    def get(self, request: Request) -> Response:
        """Search: words, phrases, exclusion; filters; `after` gives the news since an id or a moment."""
        query = read_query(shapes.FindingQuery, request)
        _known_author(query.get("author", ""))
        order = shapes.ORDERS.get(query.get("ordering", ""), "")
        try:
            found = findings(request.user, query, order=order, cursor=query.get("cursor", ""), size=query["page_size"])
        except BadCursor:
            raise BadQuery({"cursor": ["no page of this list; take `next` or `previous` from an answer"]}) from None
        shown = shown_findings(request.user, found.rows, query=found.query)
        shape = shapes.Finding if found.query is None else shapes.FoundFinding
        links = {"next": link(request, cursor=found.following), "previous": link(request, cursor=found.preceding)}
        return Response({"results": shape(shown, many=True, context={"ranks": found.ranks}).data, **links})

    @extend_schema(
        operation_id="findings_post",
        parameters=[IDEMPOTENCY],
        request=shapes.FindingInput,
        responses={201: shapes.FindingDetail},
    )
    def post(self, request: Request) -> Response:
        """Post a finding, for good. `related` in the answer says which earlier ones it resembles."""
        given = read_body(shapes.FindingInput, request)

        def make() -> tuple[int, dict[str, Any]]:
            made = post_finding(user=caller(request), **given)
            return 201, _detail(thread(request.user, made.pk))

        return _create(request, make, "api_finding", "id")


class FindingView(APIView):
    """One finding."""

    @extend_schema(operation_id="findings_read", responses=shapes.FindingDetail)
    def get(self, request: Request, finding_id: int) -> Response:
        """The finding with its first comments, what builds on it, and what resembles it."""
        return Response(_detail(thread(request.user, finding_id)))


class Comments(APIView):
    """Answers to a finding."""

    @extend_schema(
        operation_id="findings_comments_list",
        parameters=[PageQuery],
        responses=page_of(shapes.Comment, "CommentPage"),
    )
    def get(self, request: Request, finding_id: int) -> Response:
        """Its comments, oldest first."""
        query = read_query(PageQuery, request)
        rows = comments_of(finding_of(request.user, finding_id))

        def show(found: list[Any]) -> list[Any]:
            return list(shapes.Comment(shown_comments(request.user, found), many=True).data)

        return page(request, rows, query, show, order="id")

    @extend_schema(
        operation_id="findings_comments_post",
        parameters=[IDEMPOTENCY],
        request=shapes.CommentInput,
        responses={201: shapes.Comment},
    )
    def post(self, request: Request, finding_id: int) -> Response:
        """Answer a finding, for good: this is how mistakes are corrected."""
        given = read_body(shapes.CommentInput, request)

        def make() -> tuple[int, dict[str, Any]]:
            made = comment(user=caller(request), finding_id=finding_id, **given)
            return 201, dict(shapes.Comment(shown_comments(request.user, [made])[0]).data)

        return _create(request, make, "api_finding_comments", "finding")


class VoteView(APIView):
    """A reader's vote."""

    @extend_schema(operation_id="findings_vote", request=shapes.VoteInput, responses=shapes.Votes)
    def post(self, request: Request, finding_id: int) -> Response:
        """Vote for or against; a later vote replaces an earlier one, 0 takes it back."""
        value = int(read_body(shapes.VoteInput, request)["value"])
        tally = vote(user=caller(request), finding_id=finding_id, value=value)
        return Response(shapes.Votes({"tally": tally, "value": value}).data)


class Hide(APIView):
    """Taking a finding out of sight."""

    @extend_schema(operation_id="findings_hide", request=ReasonInput, responses=shapes.FindingDetail)
    def post(self, request: Request, finding_id: int) -> Response:
        """Hide it, with a reason; the text stays. For people who review; twice is as good as once."""
        hide(user=caller(request), finding_id=finding_id, **read_body(ReasonInput, request))
        return Response(_detail(thread(request.user, finding_id)))


class Unhide(APIView):
    """Showing a finding again."""

    @extend_schema(operation_id="findings_unhide", request=ReasonInput, responses=shapes.FindingDetail)
    def post(self, request: Request, finding_id: int) -> Response:
        """Show it again, with a reason."""
        unhide(user=caller(request), finding_id=finding_id, **read_body(ReasonInput, request))
        return Response(_detail(thread(request.user, finding_id)))


class HideComment(APIView):
    """Taking a comment out of sight."""

    @extend_schema(operation_id="comments_hide", request=ReasonInput, responses={204: None})
    def post(self, request: Request, comment_id: int) -> Response:
        """Hide it, with a reason; the text stays."""
        hide(user=caller(request), comment_id=comment_id, **read_body(ReasonInput, request))
        return Response(status=204)


class UnhideComment(APIView):
    """Showing a comment again."""

    @extend_schema(operation_id="comments_unhide", request=ReasonInput, responses={204: None})
    def post(self, request: Request, comment_id: int) -> Response:
        """Show it again, with a reason."""
        unhide(user=caller(request), comment_id=comment_id, **read_body(ReasonInput, request))
        return Response(status=204)


class PinView(APIView):
    """Putting a finding on top."""

    @extend_schema(operation_id="findings_pin", request=None, responses=shapes.FindingDetail)
    def post(self, request: Request, finding_id: int) -> Response:
        """Pin it. For people who review; twice is as good as once."""
        pin(user=caller(request), finding_id=finding_id)
        return Response(_detail(thread(request.user, finding_id)))


class UnpinView(APIView):
    """Taking a finding off the top."""

    @extend_schema(operation_id="findings_unpin", request=None, responses=shapes.FindingDetail)
    def post(self, request: Request, finding_id: int) -> Response:
        """Unpin it."""
        unpin(user=caller(request), finding_id=finding_id)
        return Response(_detail(thread(request.user, finding_id)))


def _detail(found: Thread) -> dict[str, Any]:
    line = shapes.Finding(found.shown).data
    return {
        **line,
        "comments": shapes.Comment(found.comments, many=True).data,
        "children": shapes.Neighbour(found.children, many=True).data,
        "related": shapes.Related(found.related, many=True).data,
    }


def _create(request: Request, make: "Callable[[], tuple[int, dict[str, Any]]]", place: str, key: str) -> Response:
    answer = once(user=caller(request), path=request.path, key=idempotency_key(request), body=request.data, make=make)
    return respond(answer, reverse(place, args=[answer.body[key]]))


def _known_author(name: str) -> None:
    if name and not get_user_model().objects.filter(username=name).exists():
        raise InvalidInput(f"there is no account {name!r}", pointer="?author")
