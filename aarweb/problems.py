"""Every API error as RFC 9457 problem details: one table from exception to status, slug and title.

Slugs are part of the API and never change; docs/api.md says what to do about each.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import exceptions as django_errors
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.views import defaults
from rest_framework import exceptions as rest_errors
from rest_framework.request import Request

from agents import errors as agent_errors
from experiments import errors
from experiments.api.reading import BadQuery

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
PREFIX = "/api/"
SCORER_RETRY_SECONDS = 5  # the reaper re-sends a waiting upload about this often


@dataclass(frozen=True, slots=True)
class Problem:
    """What an exception becomes."""

    status: int
    slug: str
    title: str


INVALID = Problem(400, "invalid", "Invalid input")
MALFORMED = Problem(400, "malformed", "The request cannot be read")
UNAUTHENTICATED = Problem(401, "unauthenticated", "No token, or none that is valid")
FORBIDDEN = Problem(403, "forbidden", "Not allowed")
NOT_FOUND = Problem(404, "not-found", "Not found")
TOO_LARGE = Problem(413, "too-large", "Too large")
INTERNAL = Problem(500, "internal", "Something went wrong on our side")

PROBLEMS: dict[type[Exception], Problem] = {
    errors.LabError: INTERNAL,  # a new exception that nobody entered here is our mistake, not the caller's
    errors.InvalidInput: INVALID,
    errors.NotFound: NOT_FOUND,
    errors.Forbidden: FORBIDDEN,
    errors.IllegalTransition: Problem(409, "illegal-transition", "Not possible in this state"),
    errors.IdempotencyClash: Problem(409, "idempotency-clash", "The Idempotency-Key came with another body"),
    errors.NotReady: Problem(409, "not-ready", "The benchmark is not ready"),
    errors.TooLarge: TOO_LARGE,
    errors.Refused: Problem(422, "refused", "Understood, and refused by a rule"),
    agent_errors.NoPrice: Problem(422, "no-price", "The model has no price"),
    agent_errors.Held: Problem(423, "held", "The agent is paused or frozen"),
    errors.OverBudget: Problem(429, "over-budget", "The budget is spent"),
    errors.ScorerUnavailable: Problem(503, "scorer-unavailable", "The scorer does not answer"),
    rest_errors.ParseError: MALFORMED,
    rest_errors.ValidationError: INVALID,
    rest_errors.NotAuthenticated: UNAUTHENTICATED,
    rest_errors.AuthenticationFailed: UNAUTHENTICATED,
    rest_errors.PermissionDenied: FORBIDDEN,
    rest_errors.NotFound: NOT_FOUND,
    rest_errors.MethodNotAllowed: Problem(405, "method-not-allowed", "This address does not know the method"),
    rest_errors.NotAcceptable: Problem(406, "not-acceptable", "None of the accepted formats can be served"),
    rest_errors.UnsupportedMediaType: Problem(415, "unsupported-media-type", "The body's format is not understood"),
    rest_errors.Throttled: Problem(429, "throttled", "Too many calls"),
    django_errors.ValidationError: INVALID,
    django_errors.PermissionDenied: FORBIDDEN,
    django_errors.RequestDataTooBig: TOO_LARGE,
    django_errors.SuspiciousOperation: MALFORMED,
    Http404: NOT_FOUND,
    OperationalError: Problem(503, "unavailable", "The database does not answer"),
}


def handle(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """DRF's exception handler. None for what is not in the table: it is logged and becomes a plain 500."""
    problem = problem_of(error)
    if problem is None:
        return None
    request: Request = context["request"]
    if problem.status >= 500:
        logger.error("%s %s: %s", request.method, request.path, error, exc_info=problem is INTERNAL and error)
    response = answer(problem, request.path, detail=_detail(error), **_members(error))
    for name, value in _headers(error).items():
        response[name] = value
    return response


def problem_of(error: Exception) -> Problem | None:
    """The table's line for the exception's class or its nearest listed ancestor."""
    return next((PROBLEMS[each] for each in type(error).__mro__ if each in PROBLEMS), None)


def answer(problem: Problem, instance: str, *, detail: str = "", **members: Any) -> JsonResponse:
    """The response: type, title, status, detail, instance, and what the problem brings beside."""
    body: dict[str, Any] = {"type": f"/problems/{problem.slug}", "title": problem.title, "status": problem.status}
    body |= {"detail": detail} if detail else {}
    return JsonResponse({**body, "instance": instance, **members}, status=problem.status, content_type=CONTENT_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler400: what fails before a view, such as an unknown host."""
    if not _is_api(request):
        return defaults.bad_request(request, exception)
    return answer(problem_of(exception) or MALFORMED, request.path)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler403."""
    return answer(FORBIDDEN, request.path) if _is_api(request) else defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler404."""
    return answer(NOT_FOUND, request.path) if _is_api(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """handler500: says that it failed and nothing about how; the log has the traceback."""
    if not _is_api(request):
        return defaults.server_error(request)
    return answer(INTERNAL, request.path, detail="It is in the log of the server. The same call may succeed later.")


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(PREFIX)


def _detail(error: Exception) -> str:
    if isinstance(error, OperationalError):
        return "Try again in a moment."  # the driver's own words name hosts and accounts
    if isinstance(error, rest_errors.ValidationError | django_errors.ValidationError):
        return ""  # errors[] says it, field by field
    if isinstance(error, rest_errors.APIException):
        return str(error.detail)
    return str(error) if isinstance(error, errors.LabError | Http404) else ""


def _members(error: Exception) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if isinstance(error, rest_errors.ValidationError):
        members["errors"] = list(_flat(error.detail, (), in_query=isinstance(error, BadQuery)))
    elif isinstance(error, django_errors.ValidationError):
        members["errors"] = list(_django_errors(error))
    elif isinstance(error, errors.LabError) and error.pointer:
        members["errors"] = [{**_place(error.pointer), "code": "invalid", "detail": str(error)}]
    if isinstance(error, errors.OverBudget):
        members |= {"budget": error.budget, "limit": error.limit, "refills_at": error.refills_at}
    if isinstance(error, agent_errors.Held):
        members |= {"latch": error.latch, "since": error.since and error.since.isoformat()}
    if isinstance(error, errors.ScorerUnavailable) and error.upload is not None:
        members["upload"] = error.upload
    return members


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, errors.OverBudget) and error.refills_at:
        wait = (datetime.fromisoformat(error.refills_at) - timezone.now()).total_seconds()
        return {"Retry-After": str(max(1, math.ceil(wait)))}
    if isinstance(error, errors.ScorerUnavailable):
        return {"Retry-After": str(SCORER_RETRY_SECONDS)}
    # APIView puts the scheme there when nobody is authenticated
    challenge = getattr(error, "auth_header", None)
    return {"WWW-Authenticate": challenge} if challenge else {}


def _flat(detail: Any, path: tuple[str, ...], *, in_query: bool) -> Iterator[dict[str, str]]:
    """DRF's nested error details, one line each."""
    if isinstance(detail, Mapping):
        for name, below in detail.items():
            inner = path if name == "non_field_errors" else (*path, str(name))
            yield from _flat(below, inner, in_query=in_query)
    elif isinstance(detail, list | tuple):
        for index, below in enumerate(detail):
            inner = (*path, str(index)) if isinstance(below, Mapping) else path
            yield from _flat(below, inner, in_query=in_query)
    else:
        place = f"?{'.'.join(path)}" if in_query else _pointer(path)
        yield {**_place(place), "code": getattr(detail, "code", "invalid"), "detail": str(detail)}


def _django_errors(error: django_errors.ValidationError) -> Iterator[dict[str, str]]:
    fields = error.error_dict if hasattr(error, "error_dict") else {"": error.error_list}
    for name, found in fields.items():
        for each in found:
            path = (name,) if name and name != django_errors.NON_FIELD_ERRORS else ()
            yield {"pointer": _pointer(path), "code": each.code or "invalid", "detail": " ".join(each.messages)}


def _pointer(path: tuple[str, ...]) -> str:
    """A JSON pointer as a URI fragment. Source: RFC 6901."""
    return "#" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _place(pointer: str) -> dict[str, str]:
    """Where the mistake is: "#/seeds" in the body, "?state" in the query."""
    return {"parameter": pointer[1:]} if pointer.startswith("?") else {"pointer": pointer}
