"""Middleware that writes down refused API calls of accounts, a bounded number an hour."""

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from oversight.models import Refusal

API = "/api/v1/"
MOST_AN_HOUR = 60  # of one account: enough to prove the point, too few to fill a disk
_SECONDS = 3600


@sync_and_async_middleware
def refusal_log(get_response):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - Django's own shape
    """Looks at answers on their way out; one that is no refusal costs a comparison."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = await get_response(request)
            what = _broken_rule(request, response)
            if what:
                await sync_to_async(_record)(request, what)
            return response

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = get_response(request)
        what = _broken_rule(request, response)
        if what:
            _record(request, what)
        return response

    return synchronous


def _broken_rule(request: HttpRequest, response: HttpResponseBase) -> str:
    if response.status_code < 400 or not request.path.startswith(API):
        return ""
    if response.status_code == 429:
        return Refusal.What.OVER_BUDGET
    if response.status_code == 403:
        return Refusal.What.FORBIDDEN
    return Refusal.What.HIDDEN_DATA if response.status_code == 404 and "/data/" in request.path else ""


def _record(request: HttpRequest, what: str) -> None:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return
    key = f"refusals:{user.pk}"
    cache.add(key, 0, _SECONDS)
    if cache.incr(key) <= MOST_AN_HOUR:
        Refusal.objects.create(account_id=user.pk, what=what, path=request.path[:200])
