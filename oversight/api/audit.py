"""The audit trail, for admins."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.reading import page, read_query
from experiments.serializers.fields import page_of
from oversight.selectors.audit import audit_for
from oversight.serializers.audit import AuditFacts, AuditQuery


class Audit(APIView):
    """Who did what to whom, when, why."""

    @extend_schema(operation_id="audit_list", parameters=[AuditQuery], responses=page_of(AuditFacts, "AuditPage"))
    def get(self, request: Request) -> Response:
        """Newest first."""
        query = read_query(AuditQuery, request)
        rows = audit_for(request.user, query)
        return page(request, rows, query, lambda found: AuditFacts(found, many=True).data)
