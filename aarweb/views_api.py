"""The API's own pages: its description, its documentation, and what answers where there is nothing."""

from typing import Any, NoReturn

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from experiments.errors import NotFound


class SchemaView(SpectacularAPIView):
    """OpenAPI 3.1, as YAML or JSON."""

    authentication_classes = ()  # the description is public; a stale token must not hide it


class DocsView(SpectacularSwaggerSplitView):
    """The browsable documentation, its script apart from its page: inline scripts are refused."""

    authentication_classes = ()


class Unknown(APIView):
    """Every address below /api/ that is not one, whatever the method."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises: NotFound."""
        hint = "" if request.path.endswith("/") else "; addresses end with a slash"
        raise NotFound(f"there is nothing at {request.path}{hint}")
