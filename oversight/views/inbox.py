"""The inbox: a list and the case in hand; claims, votes, answers to calls; flags by hand."""

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from agents.selectors.campaigns import campaign_of
from agents.services.approvals import approve, refuse
from experiments.errors import InvalidInput, LabError
from experiments.selectors.api_experiments import experiment_of
from experiments.views.access import action, is_fragment, objection, page, person, show
from oversight.lifecycle import Level, Verdict
from oversight.permissions import can_judge
from oversight.selectors.detectors import detector_lines
from oversight.selectors.inbox import approval_case, flag_case, flags_on, inbox, waiting_count
from oversight.selectors.monitor import monitor_panel, monitor_state
from oversight.selectors.probes import probe_panel
from oversight.selectors.watch import watch
from oversight.services.decisions import decide_flag, reopen_flag
from oversight.services.flags import claim_flag, flag_by_hand

_PARTS = {"list": "oversight/_list.html", "lock": "oversight/_lock.html"}


@page
def inbox_page(request: HttpRequest) -> HttpResponse:
    """What waits, with one case open: the one that `item` names, else the first."""
    if not can_judge(request.user):
        raise PermissionDenied
    if is_fragment(request) and request.GET.get("part") == "count":  # asked for from every page: no list is made
        return render(request, "oversight/_count.html", {"waiting": waiting_count(request.user)})
    listed = inbox(request.user)
    current = request.GET.get("item") or (listed.items[0].name if listed.items else "")
    context = {"inbox": listed, "current": current, **_case(request, current)}
    return show(request, "oversight/inbox.html", context, fragment=_PARTS.get(request.GET.get("part", ""), ""))


@page
def flag_page(request: HttpRequest, flag_id: int) -> HttpResponse:
    """One flag, also for people who do not judge."""
    return show(request, "oversight/flag.html", _case(request, f"flag:{flag_id}"))


@page
def campaign_watch(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """What oversight has to say of a campaign: a part of its page, or a page of its own without a script."""
    campaign = campaign_of(request.user, campaign_id)
    context = {"watch": watch(request.user, campaign), "watch_url": request.path}
    return show(request, "oversight/campaign_watch.html", context, fragment="oversight/_watch.html")


@page
def experiment_flags(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """The flags on one experiment: a part of its page, or a page of its own without a script."""
    experiment_of(request.user, experiment_id)
    flags = flags_on(request.user, experiment_id)
    context = {
        "experiment_id": experiment_id,
        "flags": flags,
        "can_judge": can_judge(request.user),
        "levels": Level.choices,
        "panel": probe_panel(request.user, experiment_id),
        "monitor": monitor_panel(request.user, experiment_id, flags),
    }
    if is_fragment(request):
        return render(request, "oversight/_experiment_flags.html", context)
    return show(request, "oversight/experiment_flags.html", context)


@page
def detectors_page(request: HttpRequest) -> HttpResponse:
    """What looks, how often each was right, and on what it was measured."""
    return show(request, "oversight/detectors.html", {"lines": detector_lines(), "monitor": monitor_state()})


@action
def flag_claim(request: HttpRequest, flag_id: int) -> HttpResponse:
    """Takes the lock."""
    return _done(request, f"flag:{flag_id}", lambda: claim_flag(user=person(request), flag_id=flag_id), "Claimed.")


@action
def flag_decide(request: HttpRequest, flag_id: int) -> HttpResponse:
    """Votes."""
    verdict, reason = request.POST.get("verdict", ""), request.POST.get("reason", "")
    return _done(
        request,
        f"flag:{flag_id}",
        lambda: decide_flag(user=person(request), flag_id=flag_id, verdict=verdict, reason=reason),
        "Your vote is written down.",
    )


@action
def flag_reopen(request: HttpRequest, flag_id: int) -> HttpResponse:
    """Starts a new round."""
    reason = request.POST.get("reason", "")
    return _done(
        request,
        f"flag:{flag_id}",
        lambda: reopen_flag(user=person(request), flag_id=flag_id, reason=reason),
        "Opened again.",
    )


@action
def experiment_flag(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """A flag by hand."""
    experiment_of(request.user, experiment_id)
    given = {name: request.POST.get(name, "") for name in ("note", "title", "pin", "quote")}
    level = request.POST.get("level") or Level.FLAG
    try:
        flag = flag_by_hand(user=person(request), subject=f"experiment:{experiment_id}", level=level, **given)
    except LabError as error:
        messages.error(request, f"{objection(error)} ({error.pointer})")
        return redirect("experiment", experiment_id)
    return redirect("flag", flag.pk)


@action
def approval_approve(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Lets the call run."""
    note, text = request.POST.get("note", ""), request.POST.get("edited_arguments", "").strip()
    return _done(
        request,
        f"approval:{approval_id}",
        lambda: approve(user=person(request), approval_id=approval_id, note=note, edited_arguments=_read(text)),
        "Approved: it runs by itself.",
    )


@action
def approval_refuse(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Says no."""
    note = request.POST.get("note", "")
    return _done(
        request,
        f"approval:{approval_id}",
        lambda: refuse(user=person(request), approval_id=approval_id, note=note),
        "Refused: the agent is told why.",
    )


def _case(request: HttpRequest, name: str) -> dict[str, Any]:
    kind, _, number = name.partition(":")
    if not number.isdecimal() or len(number) > 18:
        return {}
    if kind == "flag":
        return {"case": flag_case(request.user, int(number)), "verdicts": Verdict.choices}
    if kind == "approval":
        return {"call": approval_case(request.user, int(number))}
    return {}


def _done(request: HttpRequest, name: str, verb: Callable[[], object], said: str) -> HttpResponse:
    try:
        verb()
        messages.success(request, said)
    except LabError as error:
        messages.error(request, objection(error))
    return redirect(f"{reverse('inbox')}?item={name}")


def _read(text: str) -> dict[str, Any] | None:
    """Raises: InvalidInput."""
    if not text:
        return None
    try:
        given = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"the edited arguments are not JSON: {error}", pointer="#/edited_arguments") from None
    if not isinstance(given, dict):
        raise InvalidInput("the edited arguments must be an object", pointer="#/edited_arguments")
    return given
