"""How API calls are read and lists answered: body, query, pages; every mistake is named with its place."""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from experiments.errors import TooLarge
from experiments.selectors.keyset import BadCursor, window

REPLAYED = "Idempotent-Replayed"


class BadQuery(ValidationError):
    """A query parameter holds what it may not; errors name the `parameter`, not a JSON pointer."""


class BoundedJSONParser(JSONParser):
    """JSON of a bounded size and depth: DRF reads the stream past Django's own limit."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Raises: TooLarge, ParseError."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        bounded = _Bounded(stream, limit)
        try:
            return super().parse(bounded, media_type, parser_context)  # type: ignore[arg-type]
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None


class _Bounded:
    """A stream that refuses to give more than `limit` bytes."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream, self._limit = stream, limit

    def read(self, _size: int = -1) -> bytes:
        data: bytes = self._stream.read(self._limit + 1)
        if len(data) > self._limit:
            raise TooLarge(f"the body has more than {self._limit} bytes")
        return data


def read_body(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The body, checked. Raises: ValidationError."""
    form = kind(data=request.data)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def read_query(kind: type[serializers.Serializer[Any]], request: Request, **context: Any) -> dict[str, Any]:
    """The query parameters, checked; an empty one counts as absent. Raises: BadQuery."""
    given = {name: value for name, value in request.query_params.items() if value != ""}
    form = kind(data=given, context=context)
    if not form.is_valid():
        raise BadQuery(form.errors)
    return dict(form.validated_data)


def page(
    request: Request,
    rows: QuerySet[Any],
    query: Mapping[str, Any],
    show: Callable[[list[Any]], Any],
    *,
    order: str = "-id",
) -> Response:
    """One page of a list: {"results", "next", "previous"}; `show` turns rows into what is answered."""
    try:
        found = window(rows, order=order, cursor=query.get("cursor", ""), size=query["page_size"])
    except BadCursor:
        raise BadQuery({"cursor": ["no page of this list; take `next` or `previous` from an answer"]}) from None
    links = {"next": link(request, cursor=found.following), "previous": link(request, cursor=found.preceding)}
    return Response({"results": show(found.rows), **links})


def link(request: Request, **changes: Any) -> str | None:
    """This call's address with other parameters; None if a change is None."""
    if None in changes.values():
        return None
    query = request.query_params.copy()
    for name, value in changes.items():
        query[name] = str(value)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def idempotency_key(request: Request) -> str:
    """The Idempotency-Key header; empty if absent."""
    return request.headers.get("Idempotency-Key", "")
