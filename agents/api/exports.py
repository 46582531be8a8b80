"""A campaign as a file, streamed."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from agents.serializers.campaigns import ExportQuery
from agents.services.archives import archive_name, export_campaign
from experiments.api.access import caller
from experiments.api.reading import read_query

_PART = 256 * 2**10


class Export(APIView):
    """A whole campaign."""

    @extend_schema(
        operation_id="campaigns_export",
        parameters=[ExportQuery],
        responses={(200, "application/gzip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, campaign_id: int) -> StreamingHttpResponse:
        """A tar.gz with everything that belongs to it; the same campaign, the same bytes."""
        query = read_query(ExportQuery, request)
        packed = tempfile.TemporaryFile(prefix="aarweb-export-")  # noqa: SIM115 - closed with the response
        try:
            export_campaign(user=caller(request), campaign_id=campaign_id, out=packed, holdout=query["holdout"])
        except BaseException:
            packed.close()
            raise
        return file_answer(request._request, packed, archive_name(campaign_id))


def file_answer(request: HttpRequest, packed: IO[bytes], name: str) -> StreamingHttpResponse:
    """The file in parts, whichever kind of server asks."""
    size = packed.tell()
    packed.seek(0)
    parts = _later(packed) if isinstance(request, ASGIRequest) else _parts(packed)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(size)}
    answer = StreamingHttpResponse(parts, content_type="application/gzip", headers=headers)
    answer._resource_closers.append(packed.close)  # type: ignore[attr-defined]
    return answer


def _parts(packed: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: packed.read(_PART), b"")


async def _later(packed: IO[bytes]) -> AsyncIterator[bytes]:
    while part := await sync_to_async(packed.read)(_PART):
        yield part
