"""Approvals: list, approve, refuse; and the policies that ask for them."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.selectors.approvals import approval_of, approvals_for, policy_for
from agents.serializers import approvals as shapes
from agents.serializers.policies import PolicyChange, PolicyFacts
from agents.services.approvals import approve, refuse
from agents.services.policies import set_policy
from experiments.api.access import caller
from experiments.api.reading import page, read_body, read_query
from experiments.serializers.fields import page_of


class Approvals(APIView):
    """Calls that wait for people."""

    @extend_schema(
        operation_id="approvals_list",
        parameters=[shapes.ApprovalQuery],
        responses=page_of(shapes.ApprovalFacts, "ApprovalPage"),
    )
    def get(self, request: Request) -> Response:
        """Newest first; reviewers only."""
        query = read_query(shapes.ApprovalQuery, request)
        rows = approvals_for(request.user, query)
        return page(request, rows, query, lambda found: shapes.ApprovalFacts(found, many=True).data)


class ApprovalView(APIView):
    """One call."""

    @extend_schema(operation_id="approvals_read", responses=shapes.ApprovalFacts)
    def get(self, request: Request, approval_id: int) -> Response:
        """With its arguments, its cost, and what became of it."""
        return Response(shapes.ApprovalFacts(approval_of(request.user, approval_id)).data)


class Approve(APIView):
    """Letting a call run."""

    @extend_schema(operation_id="approvals_approve", request=shapes.ApproveInput, responses=shapes.ApprovalFacts)
    def post(self, request: Request, approval_id: int) -> Response:
        """Once, as asked or with edited arguments."""
        given = read_body(shapes.ApproveInput, request)
        approve(user=caller(request), approval_id=approval_id, **given)
        return Response(shapes.ApprovalFacts(approval_of(request.user, approval_id)).data)


class Refuse(APIView):
    """Saying no."""

    @extend_schema(operation_id="approvals_refuse", request=shapes.RefuseInput, responses=shapes.ApprovalFacts)
    def post(self, request: Request, approval_id: int) -> Response:
        """With a note, which the agent reads."""
        given = read_body(shapes.RefuseInput, request)
        refuse(user=caller(request), approval_id=approval_id, **given)
        return Response(shapes.ApprovalFacts(approval_of(request.user, approval_id)).data)


class CampaignPolicy(APIView):
    """What agents of a campaign may do by themselves."""

    @extend_schema(operation_id="campaigns_policy_read", responses=PolicyFacts)
    def get(self, request: Request, campaign_id: int) -> Response:
        """The rules in force: its own, or the lab's default."""
        return Response(PolicyFacts(policy_for(request.user, campaign_id)).data)

    @extend_schema(operation_id="campaigns_policy_set", request=PolicyChange, responses=PolicyFacts)
    def post(self, request: Request, campaign_id: int) -> Response:
        """A new version; approvals given under the one before can no longer be used."""
        given = read_body(PolicyChange, request)
        made = set_policy(user=caller(request), campaign_id=campaign_id, **given)
        return Response(PolicyFacts(made).data)
