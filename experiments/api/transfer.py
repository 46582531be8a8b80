"""Transfer studies: plan, start, read, stop. People only: every number rests on the holdout split."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.access import caller, respond
from experiments.api.experiments import IDEMPOTENCY
from experiments.api.reading import idempotency_key, page, read_body, read_query
from experiments.serializers import transfer as shapes
from experiments.serializers.fields import page_of
from experiments.services.idempotency import once
from experiments.transfer.plans import hash_of
from experiments.transfer.selectors import studies_for, study_facts, study_of
from experiments.transfer.services import cancel_study, preview_study, start_study


class Studies(APIView):
    """Transfer studies of the lab."""

    @extend_schema(
        operation_id="transfer_studies_list",
        parameters=[shapes.StudyQuery],
        responses=page_of(shapes.Study, "TransferStudyPage"),
    )
    def get(self, request: Request) -> Response:
        """Newest first, each with its verdicts."""
        query = read_query(shapes.StudyQuery, request)
        rows = studies_for(request.user, query)
        return page(request, rows, query, lambda found: shapes.Study(study_facts(found), many=True).data)

    @extend_schema(
        operation_id="transfer_studies_start",
        parameters=[IDEMPOTENCY],
        request=shapes.StudyInput,
        responses={202: shapes.StudyDetail},
    )
    def post(self, request: Request) -> Response:
        """Freeze a plan and run the method in every cell with fresh seeds; verdicts follow."""
        given = _asked(request)

        def make() -> tuple[int, dict[str, Any]]:
            return 202, _shown(request, start_study(user=caller(request), **given).pk)

        user, key = caller(request), idempotency_key(request)
        answer = once(user=user, path=request.path, key=key, body=request.data, make=make)
        return respond(answer, reverse("api_transfer_study", kwargs={"study_id": answer.body["id"]}))


class PreviewView(APIView):
    """What a study would be."""

    @extend_schema(operation_id="transfer_studies_preview", request=shapes.StudyInput, responses={200: shapes.Preview})
    def post(self, request: Request) -> Response:
        """The plan with each cell's smallest detectable effect; writes nothing."""
        plan = preview_study(user=caller(request), **_asked(request))
        return Response(shapes.Preview({"plan": plan, "plan_hash": hash_of(plan)}).data)


class StudyView(APIView):
    """One study."""

    @extend_schema(operation_id="transfer_studies_read", responses=shapes.StudyDetail)
    def get(self, request: Request, study_id: int) -> Response:
        """Plan, hash, and the verdict of every cell that has run."""
        return Response(_shown(request, study_id))


class CancelView(APIView):
    """Stopping a study."""

    @extend_schema(operation_id="transfer_studies_cancel", request=None, responses=shapes.StudyDetail)
    def post(self, request: Request, study_id: int) -> Response:
        """Stop what has not ended; verdicts that were reached stay."""
        return Response(_shown(request, cancel_study(user=caller(request), study_id=study_id).pk))


def _asked(request: Request) -> dict[str, Any]:
    given = read_body(shapes.StudyInput, request)
    given["benchmarks"] = [cell["benchmark"] for cell in given.pop("cells")]
    return given


def _shown(request: Request, study_id: int) -> dict[str, Any]:
    (facts,) = study_facts([study_of(request.user, study_id)])
    return dict(shapes.StudyDetail(facts).data)
