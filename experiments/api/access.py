"""What API views share: who asks, and which of two shapes they get."""

from typing import TYPE_CHECKING, Any, cast

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from experiments.api.reading import REPLAYED
from experiments.errors import Forbidden
from experiments.permissions import can_see_holdout, can_use_api, can_view_lab
from experiments.services.idempotency import Answer

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Shape = type[Serializer[Any]]


class HasRole(BasePermission):
    """An account without a role has nothing here: what there is to see is granted, never the default."""

    message = "this account has no role; an administrator gives it one"

    def has_permission(self, request: Request, view: object) -> bool:
        """The same for every call."""
        return can_use_api(request.user)


def caller(request: Request) -> "User":
    """Who calls; permission classes have turned the anonymous away."""
    return cast("User", request.user)


def shape_for(request: Request, shape: Shape, for_people: Shape) -> Shape:
    """The second shape, which has holdout scores, only for whoever may see them."""
    return for_people if can_see_holdout(request.user) else shape


def require_lab(request: Request) -> None:
    """Raises: Forbidden for accounts that may not see everybody's activity, such as agents."""
    if not can_view_lab(request.user):
        raise Forbidden("this account may not view the lab's log")


def respond(answer: Answer, location: str = "") -> Response:
    """The answer of a creating call, first or replayed."""
    headers = {REPLAYED: "true"} if answer.replayed else {}
    headers |= {"Location": location} if location else {}
    return Response(answer.body, status=answer.status, headers=headers)
