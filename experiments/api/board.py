"""The leaderboard."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.access import shape_for
from experiments.api.reading import page, read_query
from experiments.lifecycle import MethodClass
from experiments.selectors.api_board import board_facts, board_for, reference_facts
from experiments.serializers import evaluations as shapes
from experiments.serializers.fields import page_of


class Leaderboard(APIView):
    """Who is best."""

    @extend_schema(
        operation_id="leaderboard",
        parameters=[shapes.BoardQuery],
        responses=page_of(shapes.BoardRowForPeople, "BoardPage"),
    )
    def get(self, request: Request) -> Response:
        """Verified experiments by dev PGR with intervals; `class=reference` has published figures."""
        query = read_query(shapes.BoardQuery, request)
        shape = shape_for(request, shapes.BoardRow, shapes.BoardRowForPeople)
        if query["class"] == MethodClass.REFERENCE:
            lines = shape(reference_facts(request.user, query.get("benchmark")), many=True).data
            return Response({"results": lines, "next": None, "previous": None})
        rows = board_for(request.user, query)
        return page(
            request, rows, query, lambda found: shape(board_facts(request.user, found), many=True).data,
            order="-dev_pgr",
        )  # fmt: skip
