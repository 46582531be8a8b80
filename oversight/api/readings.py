"""What the monitor said of one experiment, and having it read."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.access import caller, require_lab, respond
from experiments.api.experiments import IDEMPOTENCY
from experiments.api.reading import idempotency_key
from experiments.selectors.api_experiments import experiment_of
from experiments.services.idempotency import once
from oversight.selectors.inbox import flags_on
from oversight.selectors.monitor import monitor_panel
from oversight.serializers.readings import ReadingList
from oversight.services.readings import ask_for_reading


class ExperimentReadings(APIView):
    """The monitor's readings of an experiment's code and claims."""

    @extend_schema(operation_id="experiments_readings", responses=ReadingList)
    def get(self, request: Request, experiment_id: int) -> Response:
        """Newest first; people only. Scores are kept back from whoever has a hold on it to judge blind."""
        require_lab(request)
        return Response(_shown(request, experiment_of(request.user, experiment_id).pk))

    @extend_schema(
        operation_id="experiments_have_read", parameters=[IDEMPOTENCY], request=None, responses={201: ReadingList}
    )
    def post(self, request: Request, experiment_id: int) -> Response:
        """Have it read, also where the monitor would not by itself; reviewers only. What waits is not asked twice."""
        experiment = experiment_of(request.user, experiment_id)

        def make() -> tuple[int, dict[str, Any]]:
            ask_for_reading(user=caller(request), experiment_id=experiment.pk)
            return 201, _shown(request, experiment.pk)

        key = idempotency_key(request)
        answer = once(user=caller(request), path=request.path, key=key, body=request.data, make=make)
        return respond(answer, reverse("api_experiment_readings", kwargs={"experiment_id": experiment.pk}))


def _shown(request: Request, experiment_id: int) -> dict[str, Any]:
    panel = monitor_panel(request.user, experiment_id, flags_on(request.user, experiment_id))
    return dict(ReadingList(panel, context={"withheld": panel.withheld}).data)
