"""Experiments: submit, read, cancel, rerun."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.access import caller, respond, shape_for
from experiments.api.reading import idempotency_key, page, read_body, read_query
from experiments.errors import InvalidInput
from experiments.models import Experiment
from experiments.permissions import can_see_holdout
from experiments.selectors.api_experiments import experiment_detail, experiment_facts, experiment_of, experiments_for
from experiments.serializers import experiments as shapes
from experiments.serializers.fields import page_of
from experiments.services.experiments import cancel_experiment, rerun_experiment, submit_experiment
from experiments.services.idempotency import once

IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same key and body get the first answer; the same key with another body is 409",
)


class Experiments(APIView):
    """Experiments of the lab."""

    @extend_schema(
        operation_id="experiments_list",
        parameters=[shapes.ExperimentQuery],
        responses=page_of(shapes.ExperimentForPeople, "ExperimentPage"),
    )
    def get(self, request: Request) -> Response:
        """Search: filters, words, order. Holdout scores are there for people only."""
        query = read_query(shapes.ExperimentQuery, request, holdout=can_see_holdout(request.user))
        shape = shape_for(request, shapes.Experiment, shapes.ExperimentForPeople)
        rows = experiments_for(request.user, query)
        return page(
            request, rows, query, lambda found: shape(experiment_facts(request.user, found), many=True).data,
            order=query["ordering"],
        )  # fmt: skip

    @extend_schema(
        operation_id="experiments_submit",
        parameters=[IDEMPOTENCY],
        request=shapes.ExperimentInput,
        responses={202: shapes.ExperimentForPeople},
    )
    def post(self, request: Request) -> Response:
        """Submit a method on a benchmark over several seeds, which the server draws."""
        given = read_body(shapes.ExperimentInput, request)

        def make() -> tuple[int, dict[str, Any]]:
            made = submit_experiment(
                user=caller(request),
                benchmark=given["benchmark"],
                **_method(given["method"]),
                title=given["title"],
                hypothesis=given["hypothesis"],
                seeds=given.get("seeds"),
            )
            return 202, _shown(request, made)

        return _answer(request, make)


class ExperimentView(APIView):
    """One experiment."""

    @extend_schema(operation_id="experiments_read", responses=shapes.ExperimentDetailForPeople)
    def get(self, request: Request, experiment_id: int) -> Response:
        """State, runs with their curves and the end of their logs, mean dev PGR with its interval."""
        shape = shape_for(request, shapes.ExperimentDetail, shapes.ExperimentDetailForPeople)
        return Response(shape(experiment_detail(request.user, experiment_id)).data)


class Cancel(APIView):
    """Stopping an experiment."""

    @extend_schema(operation_id="experiments_cancel", request=None, responses=shapes.ExperimentForPeople)
    def post(self, request: Request, experiment_id: int) -> Response:
        """Stop queued and running runs; what is scored stays."""
        return Response(_shown(request, cancel_experiment(user=caller(request), experiment_id=experiment_id)))


class Rerun(APIView):
    """Repeating an experiment."""

    @extend_schema(
        operation_id="experiments_rerun",
        parameters=[IDEMPOTENCY],
        request=None,
        responses={202: shapes.ExperimentForPeople},
    )
    def post(self, request: Request, experiment_id: int) -> Response:
        """The same method and options with fresh seeds, as a new experiment."""

        def make() -> tuple[int, dict[str, Any]]:
            return 202, _shown(request, rerun_experiment(user=caller(request), experiment_id=experiment_id))

        return _answer(request, make)


def _method(given: dict[str, Any]) -> dict[str, Any]:
    """What the service is told of the method: a recipe with its options, or a snapshot of code."""
    if ("snapshot" in given) == ("recipe" in given):
        raise InvalidInput("name either a recipe (`GET methods/` lists them) or a snapshot", pointer="#/method/recipe")
    if "snapshot" in given:
        return {"snapshot": given["snapshot"], "options": given["options"]}
    return {"method": given["recipe"], "options": given["options"]}


def _answer(request: Request, make: Any) -> Response:
    answer = once(user=caller(request), path=request.path, key=idempotency_key(request), body=request.data, make=make)
    return respond(answer, reverse("api_experiment", kwargs={"experiment_id": answer.body["id"]}))


def _shown(request: Request, experiment: Experiment) -> dict[str, Any]:
    shape = shape_for(request, shapes.Experiment, shapes.ExperimentForPeople)
    fresh = experiment_of(request.user, experiment.pk)
    return dict(shape(experiment_facts(request.user, [fresh])[0]).data)
