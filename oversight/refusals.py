"""Writes down refused calls of accounts, a bounded number an hour: by REST as middleware, for MCP by its door."""

import logging

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from redis import RedisError

from agents.authentication import ACCOUNT
from oversight.models import Refusal

log = logging.getLogger(__name__)

API = "/api/v1/"
MOST_AN_HOUR = 60  # of one account: enough to prove the point, too few to fill a disk
_SECONDS = 3600


@sync_and_async_middleware
def refusal_log(get_response):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - Django's own shape
    """Looks at answers on their way out; one that is no refusal costs a comparison."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = await get_response(request)
            if _is_refusal(request, response):
                await sync_to_async(_record)(request, response)
            return response

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = get_response(request)
        if _is_refusal(request, response):
            _record(request, response)
        return response

    return synchronous


def record(account: int, *, status: int, path: str) -> None:
    """Write one answer down, if it breaks a rule that is counted. status: as HTTP has it, whatever the door."""
    what = _broken_rule(status, path)
    if not what:
        return
    key = f"refusals:{account}"
    try:
        cache.add(key, 0, _SECONDS)
        counted = cache.incr(key)
    except ValueError:  # the hour ended in between
        counted = 1
    except RedisError as error:
        log.warning("a refused call of account %s is not written down, nothing bounds their number: %s", account, error)
        return
    if counted <= MOST_AN_HOUR:
        Refusal.objects.create(account_id=account, what=what, path=path[:200])


def _broken_rule(status: int, path: str) -> str:
    if status == 429:
        return Refusal.What.OVER_BUDGET
    if status == 403:
        return Refusal.What.FORBIDDEN
    return Refusal.What.HIDDEN_DATA if status == 404 and "/data/" in path else ""


def _is_refusal(request: HttpRequest, response: HttpResponseBase) -> bool:
    return request.path.startswith(API) and bool(_broken_rule(response.status_code, request.path))


def _record(request: HttpRequest, response: HttpResponseBase) -> None:
    """By whoever's token it was, also of a call that was refused because of it; else by the session's person."""
    account = request.META.get(ACCOUNT)
    if account is None:
        user = getattr(request, "user", None)
        account = user.pk if user is not None and user.is_authenticated else None
    if account is not None:
        record(account, status=response.status_code, path=request.path)
