"""The API of whoever calls: who am I, what may I spend."""

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.models import Token
from agents.selectors.me import me_facts
from agents.serializers.me import Me
from experiments.api.access import caller


class MeView(APIView):
    """The caller; also one without a role learns who it is."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(operation_id="me", responses=Me)
    def get(self, request: Request) -> Response:
        """Identity, permissions, token, budgets left."""
        token = request.auth if isinstance(request.auth, Token) else None
        return Response(Me(me_facts(caller(request), token)).data)
