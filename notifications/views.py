"""The bell, the list, and what a person wants to be told."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from experiments.errors import LabError
from experiments.views.access import action, page, person, show
from notifications import selectors
from notifications.services import choosing


@page
def bell(request: HttpRequest) -> HttpResponse:
    """How many are unread, for the frame of every page."""
    return render(request, "notifications/_bell.html", {"unread": selectors.unread_count(person(request))})


@page
def notification_list(request: HttpRequest) -> HttpResponse:
    """What was told, what is chosen, how it was delivered."""
    user = person(request)
    told = selectors.told(user)
    context = {
        "told": told,
        "newest": told[0].notification.pk if told else 0,
        "unread": selectors.unread_count(user),
        "wishes": selectors.wishes(user),
        "webhook": selectors.webhook_of(user),
        "deliveries": selectors.deliveries_of(user),
        "email": user.email,
    }
    return show(request, "notifications/list.html", context)


@action
def read(request: HttpRequest) -> HttpResponse:
    """What was on the page counts as read; what came meanwhile does not."""
    up_to = request.POST.get("up_to", "")
    choosing.read_all(user=person(request), up_to=int(up_to) if up_to.isascii() and up_to.isdecimal() else 0)
    return redirect("notifications")


@action
def choose(request: HttpRequest) -> HttpResponse:
    """The table of kinds and ways."""
    wanted: dict[str, set[str]] = {}
    for each in request.POST.getlist("want"):
        kind, _, way = each.partition(".")
        wanted.setdefault(kind, set()).add(way)
    try:
        choosing.choose(user=person(request), wanted=wanted)
        messages.success(request, "Saved.")
    except LabError as error:
        messages.error(request, str(error))
    return redirect("notifications")


@action
def webhook(request: HttpRequest) -> HttpResponse:
    """A new address; its secret is shown once."""
    try:
        made = choosing.set_webhook(user=person(request), url=request.POST.get("url", ""))
        said = f"Signed with the secret {made.secret}: copy it now, it is not shown again." if made else "Removed."
        messages.success(request, said)
    except LabError as error:
        messages.error(request, f"Webhook: {error}")
    return redirect("notifications")
