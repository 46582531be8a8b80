"""Flags: list, raise by hand, claim, decide, reopen."""

from collections.abc import Callable
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.access import caller, respond
from experiments.api.experiments import IDEMPOTENCY
from experiments.api.reading import idempotency_key, page, read_body, read_query
from experiments.selectors.api_experiments import experiment_of
from experiments.serializers.fields import ReasonInput, page_of
from experiments.services.idempotency import once
from oversight.models import Flag
from oversight.selectors.flags import flag_facts, flag_of, flags_for
from oversight.serializers import flags as shapes
from oversight.services.decisions import decide_flag, reopen_flag
from oversight.services.flags import claim_flag, flag_by_hand


class ExperimentFlags(APIView):
    """Flags on one experiment."""

    @extend_schema(
        operation_id="experiments_flag",
        parameters=[IDEMPOTENCY],
        request=shapes.FlagInput,
        responses={201: shapes.FlagFacts},
    )
    def post(self, request: Request, experiment_id: int) -> Response:
        """Raise a flag by hand, with a note pinned to the exact row or text."""
        experiment = experiment_of(request.user, experiment_id)
        given = read_body(shapes.FlagInput, request)
        return _raise(
            request, lambda: flag_by_hand(user=caller(request), subject=f"experiment:{experiment.pk}", **given)
        )


class Flags(APIView):
    """Flags of the lab."""

    @extend_schema(
        operation_id="flags_list", parameters=[shapes.FlagQuery], responses=page_of(shapes.FlagFacts, "FlagPage")
    )
    def get(self, request: Request) -> Response:
        """Newest first; reviewers only. Votes of others are kept back until one has voted."""
        query = read_query(shapes.FlagQuery, request)
        rows = flags_for(request.user, query)
        return page(
            request, rows, query, lambda found: shapes.FlagFacts(flag_facts(request.user, found), many=True).data
        )

    @extend_schema(
        operation_id="flags_raise",
        parameters=[IDEMPOTENCY],
        request=shapes.SubjectFlagInput,
        responses={201: shapes.FlagFacts},
    )
    def post(self, request: Request) -> Response:
        """Raise a flag by hand on an experiment, agent, upload or finding."""
        given = read_body(shapes.SubjectFlagInput, request)
        return _raise(request, lambda: flag_by_hand(user=caller(request), **given))


class FlagView(APIView):
    """One flag."""

    @extend_schema(operation_id="flags_read", responses=shapes.FlagFacts)
    def get(self, request: Request, flag_id: int) -> Response:
        """With its evidence, and what people decided."""
        return Response(_shown(request, flag_id))


class Claim(APIView):
    """Looking at a flag."""

    @extend_schema(operation_id="flags_claim", request=None, responses=shapes.FlagFacts)
    def post(self, request: Request, flag_id: int) -> Response:
        """Hold it for five minutes; again: five more."""
        claim_flag(user=caller(request), flag_id=flag_id)
        return Response(_shown(request, flag_id))


class Decide(APIView):
    """Judging a flag."""

    @extend_schema(operation_id="flags_decide", request=shapes.DecideInput, responses=shapes.FlagFacts)
    def post(self, request: Request, flag_id: int) -> Response:
        """Vote; a hold is decided when two reviewers agree."""
        given = read_body(shapes.DecideInput, request)
        decide_flag(user=caller(request), flag_id=flag_id, **given)
        return Response(_shown(request, flag_id))


class Reopen(APIView):
    """Judging a flag again."""

    @extend_schema(operation_id="flags_reopen", request=ReasonInput, responses=shapes.FlagFacts)
    def post(self, request: Request, flag_id: int) -> Response:
        """Start a new round; what was decided stays written."""
        given = read_body(ReasonInput, request)
        reopen_flag(user=caller(request), flag_id=flag_id, **given)
        return Response(_shown(request, flag_id))


def _raise(request: Request, verb: Callable[[], Flag]) -> Response:
    def make() -> tuple[int, dict[str, Any]]:
        return 201, _shown(request, verb().pk)

    key = idempotency_key(request)
    answer = once(user=caller(request), path=request.path, key=key, body=request.data, make=make)
    return respond(answer, reverse("api_flag", kwargs={"flag_id": answer.body["id"]}))


def _shown(request: Request, flag_id: int) -> dict[str, Any]:
    return dict(shapes.FlagFacts(flag_of(request.user, flag_id)).data)
