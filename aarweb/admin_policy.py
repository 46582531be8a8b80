"""The admin panel's own Content-Security-Policy: its theme is written for Alpine.js, which evaluates expressions.

Below /admin/ alone, for administrators; no inline script is allowed there either, and every other page keeps the strict
policy. See docs/security.md.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

PREFIX = "/admin/"


class AdminPolicyMiddleware:
    """Stands below django-csp's middleware, which reads what is asked for here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path.startswith(PREFIX):
            strict = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
            response._csp_config = {  # type: ignore[attr-defined]
                **strict,
                "script-src": [*strict["script-src"], "'unsafe-eval'"],
                "style-src": [*strict["style-src"], "'unsafe-inline'"],
            }
        return response
