"""Campaigns: make, read, start, freeze, thaw, stop."""

from collections.abc import Callable
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.models import Campaign
from agents.permissions import can_run_campaigns
from agents.selectors.campaigns import campaign_detail, campaign_of, campaigns_for
from agents.selectors.estimates import bounds, estimate, estimate_of, grouped
from agents.serializers import campaigns as shapes
from agents.serializers import estimates
from agents.serializers.budgets import amounts
from agents.services.campaigns import (
    AgentPlan,
    create_campaign,
    freeze_campaign,
    start_campaign,
    stop_campaign,
    thaw_campaign,
)
from experiments.api.access import caller, respond
from experiments.api.experiments import IDEMPOTENCY
from experiments.api.reading import idempotency_key, page, read_body, read_query
from experiments.errors import Forbidden
from experiments.serializers.fields import Input, ReasonInput, page_of
from experiments.services.idempotency import once


class Campaigns(APIView):
    """Campaigns of the lab."""

    @extend_schema(
        operation_id="campaigns_list",
        parameters=[shapes.CampaignQuery],
        responses=page_of(shapes.CampaignFacts, "CampaignPage"),
    )
    def get(self, request: Request) -> Response:
        """Newest first; an agent sees its own campaign."""
        query = read_query(shapes.CampaignQuery, request)
        rows = campaigns_for(request.user, state=query.get("state", ""))
        return page(request, rows, query, lambda found: shapes.CampaignFacts(found, many=True).data)

    @extend_schema(
        operation_id="campaigns_create",
        parameters=[IDEMPOTENCY],
        request=shapes.CampaignInput,
        responses={201: shapes.CampaignDetail},
    )
    def post(self, request: Request) -> Response:
        """A draft: nothing runs and nothing is spent before it is started."""
        given = read_body(shapes.CampaignInput, request)

        def make() -> tuple[int, dict[str, Any]]:
            made = create_campaign(
                user=caller(request),
                name=given["name"],
                brief=given["brief"],
                benchmarks=given["benchmarks"],
                agents=[_plan(each) for each in given["agents"]],
                budgets=amounts(given["budget"]),
                deadline=given["deadline"],
                policy=given["policy"],
            )
            return 201, _shown(request, made)

        key = idempotency_key(request)
        answer = once(user=caller(request), path=request.path, key=key, body=request.data, make=make)
        return respond(answer, reverse("api_campaign", kwargs={"campaign_id": answer.body["id"]}))


class Estimates(APIView):
    """What a campaign will take."""

    @extend_schema(
        operation_id="campaigns_estimate_made", parameters=[estimates.EstimateQuery], responses=estimates.EstimateFacts
    )
    def get(self, request: Request) -> Response:
        """Of one that has been made: ?campaign=12."""
        _may_plan(request)
        query = read_query(estimates.EstimateQuery, request)
        return Response(estimates.EstimateFacts(estimate_of(campaign_of(request.user, query["campaign"]))).data)

    @extend_schema(
        operation_id="campaigns_estimate", request=estimates.EstimateInput, responses={200: estimates.EstimateFacts}
    )
    def post(self, request: Request) -> Response:
        """Of one that is only thought of: the body of `POST campaigns/`; nothing is made."""
        _may_plan(request)
        given = read_body(estimates.EstimateInput, request)
        found = estimate(
            benchmarks=given["benchmarks"],
            agents=grouped((each["researcher"], each["model"]) for each in given["agents"]),
            budgets=bounds(amounts(given["budget"]), [amounts(each["budget"]) for each in given["agents"]]),
            deadline=given["deadline"],
        )
        return Response(estimates.EstimateFacts(found).data)


class CampaignView(APIView):
    """One campaign."""

    @extend_schema(operation_id="campaigns_read", responses=shapes.CampaignDetail)
    def get(self, request: Request, campaign_id: int) -> Response:
        """State, agents with what holds them, budgets."""
        return Response(shapes.CampaignDetail(campaign_detail(request.user, campaign_id)).data)


class Start(APIView):
    """Letting agents begin."""

    @extend_schema(operation_id="campaigns_start", request=None, responses=shapes.CampaignDetail)
    def post(self, request: Request, campaign_id: int) -> Response:
        """Start a draft; a running one stays as it is."""
        return Response(_shown(request, start_campaign(user=caller(request), campaign_id=campaign_id)))


class Freeze(APIView):
    """Holding everybody."""

    @extend_schema(operation_id="campaigns_freeze", request=ReasonInput, responses=shapes.CampaignDetail)
    def post(self, request: Request, campaign_id: int) -> Response:
        """No agent starts anything from now on; a reason is needed."""
        return _with_reason(request, ReasonInput, freeze_campaign, campaign_id)


class Thaw(APIView):
    """Letting everybody go on."""

    @extend_schema(operation_id="campaigns_thaw", request=shapes.OptionalWhyInput, responses=shapes.CampaignDetail)
    def post(self, request: Request, campaign_id: int) -> Response:
        """Agents that are paused one by one stay paused."""
        return _with_reason(request, shapes.OptionalWhyInput, thaw_campaign, campaign_id)


class Stop(APIView):
    """Ending it."""

    @extend_schema(operation_id="campaigns_stop", request=ReasonInput, responses=shapes.CampaignDetail)
    def post(self, request: Request, campaign_id: int) -> Response:
        """For good: what is in flight is cancelled; a reason is needed."""
        return _with_reason(request, ReasonInput, stop_campaign, campaign_id)


def _with_reason(request: Request, shape: type[Input], verb: Callable[..., Campaign], campaign_id: int) -> Response:
    reason = read_body(shape, request)["reason"]
    return Response(_shown(request, verb(user=caller(request), campaign_id=campaign_id, reason=reason)))


def _may_plan(request: Request) -> None:
    if not can_run_campaigns(request.user):
        raise Forbidden("you may not run campaigns")


def _plan(given: dict[str, Any]) -> AgentPlan:
    return AgentPlan(
        researcher=given["researcher"],
        model=given["model"],
        direction=given["direction"],
        brief=given["brief"],
        name=given["name"],
        budgets=amounts(given["budget"]),
    )


def _shown(request: Request, campaign: Campaign) -> dict[str, Any]:
    return dict(shapes.CampaignDetail(campaign_detail(request.user, campaign.pk)).data)
