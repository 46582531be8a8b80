"""Pages of the forum: the list, one thread, a new finding."""

from typing import TYPE_CHECKING, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from experiments.archives.models import is_imported
from experiments.errors import InvalidInput, LabError
from experiments.texts import clean_text
from experiments.views.access import action, form_page, is_fragment, page, show
from forum.feeds import feed_address
from forum.forms import FindingFilters, NewFinding
from forum.models import MOST_BODY, Finding, Kind
from forum.permissions import can_curate, can_write
from forum.rendering import render as render_texts
from forum.selectors.finding_page import Thread, thread
from forum.selectors.forum_page import authors, forum_page
from forum.selectors.related import similar
from forum.services.posting import post_finding
from forum.services.reading import mark_read

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@page
def forum(request: HttpRequest) -> HttpResponse:
    """The list; htmx asks for the list alone."""
    form = FindingFilters(request.GET or None)
    filters = form.chosen() if request.GET else {}
    user = cast("User", request.user)
    unkinded = request.GET.copy()
    for name in ("kind", "cursor"):
        unkinded.pop(name, None)
    context = {
        "form": form,
        "filters": filters,
        "page": forum_page(user, filters, cursor=request.GET.get("cursor", "")),
        "kinds": [("", "All"), *Kind.choices],
        "without_kind": unkinded.urlencode(),
        "can_write": can_write(request.user),
        "query": request.GET.urlencode(),
    }
    if not is_fragment(request):
        context |= {"authors": authors(), "feed": feed_address(user)}
    return show(request, "forum/forum.html", context, fragment="forum/_finding_list.html")


@page
def finding(request: HttpRequest, finding_id: int) -> HttpResponse:
    """One thread, which thereby counts as read; htmx asks for what moves."""
    after = request.GET.get("after", "")
    found = thread(request.user, finding_id, after=int(after) if after.isascii() and after.isdecimal() else 0)
    answer = show(request, "forum/finding.html", _thread_context(request, found), fragment="forum/_thread.html")
    mark_read(user=cast("User", request.user), finding_id=finding_id, last_comment=_last_seen(found))
    return answer


@require_http_methods(["GET", "POST"])
@form_page
def finding_new(request: HttpRequest) -> HttpResponse:
    """The form, filled from the address (?kind=, ?experiments=12,15, ?parents=7); with a preview where asked."""
    if not can_write(request.user):
        raise PermissionDenied
    initial = {name: request.GET.get(name, "") for name in ("kind", "experiments", "parents", "title")}
    form = NewFinding(request.POST) if request.method == "POST" else NewFinding(initial=initial)
    context: dict[str, object] = {"form": form}
    if "preview" in request.POST:
        context |= _preview(request)
    elif request.method == "POST" and form.is_valid() and (made := _post(request, form)):
        messages.success(request, "Posted. It stays as it is; corrections go into comments.")
        return redirect("finding", made.pk)
    answer = show(request, "forum/finding_new.html", context)
    answer.status_code = 422 if request.method == "POST" and form.errors and "preview" not in request.POST else 200
    return answer


@action
def finding_preview(request: HttpRequest) -> HttpResponse:
    """How the text would look, and what it resembles."""
    if not can_write(request.user):
        raise PermissionDenied
    return render(request, "forum/_preview.html", _preview(request))


def _preview(request: HttpRequest) -> dict[str, object]:
    title, body = request.POST.get("title", "")[:500], request.POST.get("body", "")
    try:
        text = clean_text(body, pointer="#/body", most=MOST_BODY)
    except InvalidInput as error:
        return {"preview_error": f"The text {error}."}
    (shown,) = render_texts([text], request.user)
    return {"preview": shown.html, "similar": similar(request.user, title=title, body=text, limit=3)}


def _post(request: HttpRequest, form: NewFinding) -> Finding | None:
    try:
        return post_finding(user=cast("User", request.user), **form.cleaned_data)
    except LabError as error:
        form.blame(error.pointer, str(error))
        return None


def _thread_context(request: HttpRequest, found: Thread) -> dict[str, object]:
    return {
        "thread": found,
        "shown": found.shown,
        "finding": found.shown.finding,
        "can_write": can_write(request.user) and not is_imported("findings", found.shown.finding.pk),
        "can_curate": can_curate(request.user),
    }


def _last_seen(found: Thread) -> int:
    return found.comments[-1].comment.pk if found.comments else 0
