"""The page of the audit trail."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest

from experiments.selectors.keyset import BadCursor, window
from experiments.views.access import page, show
from oversight.forms import AuditFilter
from oversight.selectors.audit import audit_for, change_lines
from oversight.services.audit import head

PAGE_SIZE = 50


@page
def audit_page(request: HttpRequest) -> HttpResponse:
    """Every change, newest first, with filters."""
    form = AuditFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    kept = {name: value for name, value in wanted.items() if value}
    try:
        rows = window(audit_for(request.user, kept), order="-id", cursor=request.GET.get("cursor", ""), size=PAGE_SIZE)
    except BadCursor:
        return HttpResponseBadRequest("no page of this list")
    context = {
        "form": form,
        "rows": [(entry, change_lines(entry)) for entry in rows.rows],
        "older": rows.following and urlencode({**kept, "cursor": rows.following}),
        "newer": rows.preceding and urlencode({**kept, "cursor": rows.preceding}),
        "head": head(),
    }
    return show(request, "oversight/audit.html", context)
