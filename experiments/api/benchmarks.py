"""Benchmarks, their data, methods."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.reading import page, read_query
from experiments.selectors.api_benchmarks import (
    benchmark_detail,
    benchmark_facts,
    benchmark_of,
    benchmarks_for,
    method_of,
    methods_for,
)
from experiments.selectors.api_data import check_data, data_chunks, weak_probs
from experiments.serializers import benchmarks as shapes
from experiments.serializers.fields import page_of
from experiments.services.uploads import give_back_connection

NDJSON = "application/x-ndjson"


class Benchmarks(APIView):
    """The benchmarks of the lab."""

    @extend_schema(
        operation_id="benchmarks_list",
        parameters=[shapes.BenchmarkQuery],
        responses=page_of(shapes.Benchmark, "BenchmarkPage"),
    )
    def get(self, request: Request) -> Response:
        """Benchmarks with their sizes, models, weak and ceiling accuracy."""
        query = read_query(shapes.BenchmarkQuery, request)
        rows = benchmarks_for(request.user, query)
        return page(
            request, rows, query, lambda found: shapes.Benchmark(benchmark_facts(request.user, found), many=True).data,
            order="id",
        )  # fmt: skip


class BenchmarkView(APIView):
    """One benchmark."""

    @extend_schema(operation_id="benchmarks_read", responses=shapes.BenchmarkDetail)
    def get(self, request: Request, slug: str) -> Response:
        """Protocol, baselines, upload budget, leak meter, published figures."""
        return Response(shapes.BenchmarkDetail(benchmark_detail(request.user, slug)).data)


class NDJSONRenderer(BaseRenderer):
    """Lets a client ask for NDJSON; the view makes the lines itself."""

    media_type = NDJSON
    format = "ndjson"

    def render(self, data: object, *_args: object, **_kwargs: object) -> bytes:
        """Never called with a body of ours."""
        return b"" if data is None else JSONRenderer().render(data)


class Data(APIView):
    """Inputs of a benchmark, for those who train outside."""

    renderer_classes = (NDJSONRenderer, JSONRenderer)

    @extend_schema(
        operation_id="benchmarks_data",
        parameters=[shapes.DataQuery],
        responses={(200, NDJSON): OpenApiResponse(shapes.DataLine, description="One JSON object per line")},
    )
    def get(self, request: Request, slug: str, part: str) -> StreamingHttpResponse:
        """NDJSON of `train` (with one teacher's weak labels) or `dev`. Never labels, never the holdout."""
        query = read_query(shapes.DataQuery, request)
        benchmark = benchmark_of(request.user, slug)
        split = check_data(benchmark, part)
        probs = weak_probs(benchmark, query["teacher"]) if part == "train" else None
        chunks = data_chunks(benchmark, split, probs)
        is_async = isinstance(request._request, ASGIRequest)
        response = StreamingHttpResponse(_from_thread(chunks) if is_async else chunks, content_type=NDJSON)
        response["X-Accel-Buffering"] = "no"
        return response


class Methods(APIView):
    """The recipes that the workers carry."""

    @extend_schema(
        operation_id="methods_list", parameters=[shapes.MethodQuery], responses=page_of(shapes.Method, "MethodPage")
    )
    def get(self, request: Request) -> Response:
        """Recipes with their option schema."""
        query = read_query(shapes.MethodQuery, request)
        return page(request, methods_for(query), query, lambda found: shapes.Method(found, many=True).data, order="id")


class MethodView(APIView):
    """One recipe."""

    @extend_schema(operation_id="methods_read", responses=shapes.Method)
    def get(self, request: Request, name: str) -> Response:
        """Its summary, source and option schema."""
        return Response(shapes.Method(method_of(name)).data)


async def _from_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Reads on in the request's thread, and keeps no connection while a slow client takes its time."""

    def following() -> bytes | None:
        try:
            return next(chunks, None)
        finally:
            give_back_connection()

    while (chunk := await sync_to_async(following)()) is not None:
        yield chunk
