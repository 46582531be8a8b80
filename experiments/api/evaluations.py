"""Uploaded predictions: scored under a strict budget, marked unverified."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.access import caller, respond
from experiments.api.experiments import IDEMPOTENCY
from experiments.api.reading import idempotency_key, page, read_body, read_query
from experiments.selectors.api_board import evaluation_of, evaluations_for, sees_exact, upload_of
from experiments.serializers import evaluations as shapes
from experiments.serializers.fields import page_of
from experiments.services.idempotency import Answer, once
from experiments.services.uploads import await_evaluation, submit_predictions


class Evaluations(APIView):
    """Scorings of uploaded predictions."""

    @extend_schema(
        operation_id="evaluations_list",
        parameters=[shapes.EvaluationQuery],
        responses=page_of(shapes.EvaluationExact, "EvaluationPage"),
    )
    def get(self, request: Request) -> Response:
        """One's own, or everybody's for people; exact scores for reviewers only."""
        query = read_query(shapes.EvaluationQuery, request)
        shape = _shape(request)
        rows = evaluations_for(request.user, query)
        return page(request, rows, query, lambda found: shape(found, many=True).data)

    @extend_schema(
        operation_id="evaluations_submit",
        parameters=[IDEMPOTENCY],
        request=shapes.PredictionsInput,
        responses={201: shapes.EvaluationAnswer},
    )
    def post(self, request: Request) -> Response:
        """Have predictions for a benchmark's dev items scored; the answer is the Ladder's."""
        given = read_body(shapes.PredictionsInput, request)

        def make() -> tuple[int, dict[str, Any]]:
            receipt = submit_predictions(
                user=caller(request), benchmark=given["benchmark"], predictions=given["predictions"]
            )
            return 201, {"upload": receipt.upload, "queries_left": receipt.queries_left}

        # What is kept under the key is the receipt: a repeated call waits for the same upload, and tells the same of it
        receipt = once(
            user=caller(request), path=request.path, key=idempotency_key(request), body=request.data, make=make
        )
        told = await_evaluation(receipt.body["upload"])
        location = reverse("api_evaluation", kwargs={"evaluation_id": told["id"]})
        return respond(Answer(receipt.status, {**told, **receipt.body}, receipt.replayed), location)


class EvaluationView(APIView):
    """One scoring."""

    @extend_schema(operation_id="evaluations_read", responses=shapes.EvaluationExact)
    def get(self, request: Request, evaluation_id: int) -> Response:
        """One's own, or anybody's for people."""
        return Response(_shape(request)(evaluation_of(request.user, evaluation_id)).data)


class UploadView(APIView):
    """An upload, scored or waiting: what to ask after a 503."""

    @extend_schema(operation_id="uploads_read", responses=shapes.Upload)
    def get(self, request: Request, upload_id: int) -> Response:
        """Whether it is scored, and its evaluation then."""
        return Response(shapes.Upload(upload_of(request.user, upload_id)).data)


def _shape(request: Request) -> type[shapes.Evaluation]:
    return shapes.EvaluationExact if sees_exact(request.user) else shapes.Evaluation
