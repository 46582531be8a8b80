"""Buttons of the forum: each calls one service and goes back to the page."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from experiments.errors import LabError
from experiments.views.access import action, is_fragment, objection
from forum.models import Finding
from forum.permissions import can_write
from forum.selectors.finding_page import finding_of
from forum.selectors.shown import shown_findings
from forum.services.curation import hide, pin, unhide, unpin
from forum.services.posting import comment
from forum.services.reading import mark_all_read
from forum.services.voting import vote

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_VERBS: dict[str, tuple[Callable[..., Any], bool, str]] = {
    # the service, whether it takes a reason, what is said afterwards
    "hide": (hide, True, "Hidden. The text and the reason stay in the record."),
    "unhide": (unhide, True, "Shown again."),
    "pin": (pin, False, "Pinned on top of the list."),
    "unpin": (unpin, False, "Taken off the top of the list."),
}


@action
def finding_comment(request: HttpRequest, finding_id: int) -> HttpResponse:
    """An answer; a refused one comes back with its text, to be mended."""
    body = request.POST.get("body", "")
    try:
        written = comment(user=_user(request), finding_id=finding_id, body=body)
    except LabError as error:
        context = {"finding": finding_of(request.user, finding_id), "body": body, "error": objection(error)}
        return render(request, "forum/comment_refused.html", context, status=422)
    return redirect(f"{written.finding.get_absolute_url()}#comment-{written.pk}")


@action
def finding_vote(request: HttpRequest, finding_id: int) -> HttpResponse:
    """A vote; htmx gets the new count."""
    value = request.POST.get("value", "")
    try:
        vote(user=_user(request), finding_id=finding_id, value=int(value) if value in ("1", "-1", "0") else 2)
    except LabError as error:
        messages.error(request, f"The vote {objection(error)}.")
    if not is_fragment(request):
        return redirect("finding", finding_id)
    (shown,) = shown_findings(request.user, [finding_of(request.user, finding_id)])
    return render(request, "forum/_votes.html", {"shown": shown, "can_write": can_write(request.user)})


@action
def finding_curate(request: HttpRequest, finding_id: int, verb: str) -> HttpResponse:
    """Hide, show again, pin, unpin."""
    if verb not in _VERBS:
        raise Http404
    _curate(request, verb, finding_id=finding_id)
    return redirect("finding", finding_id)


@action
def comment_curate(request: HttpRequest, comment_id: int, verb: str) -> HttpResponse:
    """Hide one comment, or show it again."""
    if verb not in ("hide", "unhide"):
        raise Http404
    _curate(request, verb, comment_id=comment_id)
    finding = Finding.objects.get(comments=comment_id)
    return redirect(f"{finding.get_absolute_url()}#comment-{comment_id}")


@action
def read_all(request: HttpRequest) -> HttpResponse:
    """Everything there is now counts as read."""
    mark_all_read(user=_user(request))
    return redirect("forum")


def _curate(request: HttpRequest, verb: str, **target: int) -> None:
    service, reasoned, said = _VERBS[verb]
    reason = {"reason": request.POST.get("reason", "")} if reasoned else {}
    try:
        service(user=_user(request), **target, **reason)
        messages.success(request, said)
    except LabError as error:
        messages.error(request, f"The reason {objection(error)}.")


def _user(request: HttpRequest) -> "User":
    return cast("User", request.user)
