"""Whether the web process answers; for the supervisor and for load balancers."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Says ok without a database, a broker or a session: a restart would cure none of those."""
    return HttpResponse("ok\n", content_type="text/plain", headers={"Cache-Control": "no-store"})
