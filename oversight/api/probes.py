"""Probes of one experiment: how they stand, and asking for them."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.access import caller, require_lab, respond
from experiments.api.experiments import IDEMPOTENCY
from experiments.api.reading import idempotency_key, read_body
from experiments.selectors.api_experiments import experiment_of
from experiments.services.idempotency import once
from oversight.selectors.probes import probes_of
from oversight.serializers import probes as shapes
from oversight.services.probes import request_probe


class ExperimentProbes(APIView):
    """Reruns of an experiment for the costly detectors."""

    @extend_schema(operation_id="experiments_probes", responses=shapes.ProbeList)
    def get(self, request: Request, experiment_id: int) -> Response:
        """All of them, newest first; people only."""
        experiment = experiment_of(request.user, experiment_id)
        require_lab(request)
        return Response(_shown(experiment.pk))

    @extend_schema(
        operation_id="experiments_probe",
        parameters=[IDEMPOTENCY],
        request=shapes.ProbeInput,
        responses={201: shapes.ProbeList},
    )
    def post(self, request: Request, experiment_id: int) -> Response:
        """Ask for some or all kinds; reviewers only. A kind that is under way is not started twice."""
        experiment = experiment_of(request.user, experiment_id)
        given = read_body(shapes.ProbeInput, request)

        def make() -> tuple[int, dict[str, Any]]:
            request_probe(user=caller(request), experiment_id=experiment.pk, **given)
            return 201, _shown(experiment.pk)

        key = idempotency_key(request)
        answer = once(user=caller(request), path=request.path, key=key, body=request.data, make=make)
        return respond(answer, reverse("api_experiment_probes", kwargs={"experiment_id": experiment.pk}))


def _shown(experiment_id: int) -> dict[str, Any]:
    return dict(shapes.ProbeList({"results": probes_of(experiment_id)}).data)
