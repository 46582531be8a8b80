"""Snapshots: hand method code in, read anyone's, compare, download."""

import hashlib
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.access import caller, respond
from experiments.api.experiments import IDEMPOTENCY
from experiments.api.reading import BoundedJSONParser, idempotency_key, read_body
from experiments.errors import TooLarge
from experiments.serializers import snapshots as shapes
from experiments.services.idempotency import once
from experiments.snapshots import selectors
from experiments.snapshots.archives import write_archive
from experiments.snapshots.services import create_snapshot
from experiments.snapshots.trees import MAX_BYTES

MAX_ARCHIVE_BYTES = MAX_BYTES + 2**20  # text shrinks; what does not is no text
MAX_BODY_BYTES = 2 * MAX_BYTES  # JSON escapes some characters


class Snapshots(APIView):
    """Handing code in."""

    parser_classes = [BoundedJSONParser, MultiPartParser]

    @extend_schema(
        operation_id="snapshots_create",
        parameters=[IDEMPOTENCY],
        request={"application/json": shapes.FilesInput, "multipart/form-data": shapes.ArchiveInput},
        responses={201: shapes.Snapshot},
    )
    def post(self, request: Request) -> Response:
        """Keep a tree of code; the same content is the same snapshot, whoever hands it in."""
        if int(request.headers.get("Content-Length") or 0) > MAX_BODY_BYTES:
            raise TooLarge(f"the body has more than {MAX_BODY_BYTES:,} bytes")
        given, body = _archive(request) if request.FILES else _files(request)

        def make() -> tuple[int, dict[str, Any]]:
            made = create_snapshot(user=caller(request), parents=given.pop("parents", ()), **given)
            return 201, _shown(made.pk)

        answer = once(user=caller(request), path=request.path, key=idempotency_key(request), body=body, make=make)
        return respond(answer, reverse("api_snapshot", kwargs={"snapshot_id": answer.body["id"]}))


class SnapshotView(APIView):
    """One snapshot."""

    @extend_schema(operation_id="snapshots_read", responses=shapes.Snapshot)
    def get(self, request: Request, snapshot_id: int) -> Response:
        """Its files, and what it came from and led to."""
        return Response(_shown(snapshot_id))


class FileView(APIView):
    """One file of a snapshot."""

    @extend_schema(operation_id="snapshots_file", responses=shapes.FileText)
    def get(self, request: Request, snapshot_id: int, path: str) -> Response:
        """Its text."""
        path = path.removesuffix("/")  # every other address ends in one
        return Response({"path": path, "text": selectors.file_text(snapshot_id, path)})


class DiffView(APIView):
    """Two snapshots."""

    @extend_schema(operation_id="snapshots_diff", responses=shapes.Comparison)
    def get(self, request: Request, snapshot_id: int, other: int) -> Response:
        """What changed from the first to the second."""
        files = selectors.difference(snapshot_id, other)
        return Response(shapes.Comparison({"before": snapshot_id, "after": other, "files": files}).data)


class Download(APIView):
    """A snapshot as an archive."""

    @extend_schema(operation_id="snapshots_download", responses={(200, "application/gzip"): OpenApiTypes.BINARY})
    def get(self, request: Request, snapshot_id: int) -> HttpResponse:
        """A tar.gz, the same bytes each time."""
        packed = write_archive(selectors.files_of(snapshot_id))
        return HttpResponse(
            packed,
            content_type="application/gzip",
            headers={"Content-Disposition": f'attachment; filename="snapshot-{snapshot_id}.tar.gz"'},
        )


def _files(request: Request) -> tuple[dict[str, Any], object]:
    """(arguments of the service, what an Idempotency-Key stands for)."""
    return read_body(shapes.FilesInput, request), request.data


def _archive(request: Request) -> tuple[dict[str, Any], object]:
    given = read_body(shapes.ArchiveInput, request)
    archive = given["archive"]
    if archive.size > MAX_ARCHIVE_BYTES:
        raise TooLarge(f"the archive has more than {MAX_ARCHIVE_BYTES:,} bytes", pointer="#/archive")
    digest = hashlib.file_digest(archive, "sha256").hexdigest()
    archive.seek(0)
    return given, {"archive": digest, "parents": given.get("parents", [])}


def _shown(snapshot_id: int) -> dict[str, Any]:
    snapshot = selectors.snapshot_detail(snapshot_id)
    facts = {
        "snapshot": snapshot,
        "files": selectors.file_facts(snapshot),
        "parents": [parent.pk for parent in snapshot.parents.all()],
        "children": selectors.children_of(snapshot_id),
    }
    return dict(shapes.Snapshot(facts).data)
