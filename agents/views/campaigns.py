"""Pages of campaigns: the list, one of them live, a new one, and its controls."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from agents.access import why_no_claude
from agents.forms import NewCampaign, PolicyChoice
from agents.lifecycle import CampaignState
from agents.models import Campaign
from agents.permissions import can_review, can_run_campaigns
from agents.selectors.campaigns import campaign_of
from agents.selectors.dashboard import controls, glance
from agents.selectors.estimates import estimate_lines, estimate_of
from agents.selectors.pages import campaign_rows
from agents.services.campaigns import (
    create_campaign,
    freeze_campaign,
    start_campaign,
    stop_campaign,
    thaw_campaign,
)
from agents.services.policies import current_policy, set_policy
from agents.views.answers import Said, tell
from experiments.archives.importing import imported_campaign
from experiments.charts import prepare
from experiments.errors import LabError
from experiments.permissions import can_see_holdout
from experiments.selectors.activity import last_event_number, latest_events
from experiments.views.access import action, form_page, is_fragment, objection, page, person, show

_PARTS = {
    "live": "agents/_glance.html",
    "events": "agents/_campaign_events.html",
    "controls": "agents/_campaign_controls.html",
    "policy": "agents/_policy.html",
}


@page
def campaign_list(request: HttpRequest) -> HttpResponse:
    """Every campaign."""
    context = {"rows": campaign_rows(request.user), "can_run": can_run_campaigns(request.user)}
    return show(request, "agents/campaign_list.html", context)


@page
def campaign_detail(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """One campaign; htmx asks for its agents alone, or for its events."""
    campaign = campaign_of(request.user, campaign_id)
    part = request.GET.get("part", "live") if is_fragment(request) else ""
    context = controls(request.user, campaign) | {"live_url": request.path}
    context |= {"live_campaign": campaign_id, "live_after": last_event_number(campaign_id)}
    if part in ("", "live"):
        context["shown"] = glance(request.user, campaign)
    if not part and campaign.state == CampaignState.DRAFT:
        found = estimate_of(campaign)
        context |= {"estimate": found, "lines": estimate_lines(found)}
    if part in ("", "events"):
        context["events"] = latest_events(request.user, campaign=campaign_id)
        context["events_url"] = f"{request.path}?part=events"
    if part in ("", "policy"):
        context |= _policy(request, campaign)
    if not part:
        benchmark = campaign.benchmark_slugs[0]
        context |= {"can_see_holdout": can_see_holdout(request.user), "imported": imported_campaign(campaign_id)}
        context["chart"] = prepare("pgr-over-time", request.user, {"benchmark": benchmark, "campaign": campaign_id})
    return show(request, "agents/campaign_detail.html", context, fragment=_PARTS.get(part, _PARTS["live"]))


@require_http_methods(["GET", "POST"])
@form_page
def campaign_new(request: HttpRequest) -> HttpResponse:
    """The form of a new campaign; what it makes is started at once."""
    if not can_run_campaigns(request.user):
        raise PermissionDenied
    form = NewCampaign(request.POST or None)
    preview = request.method == "POST" and is_fragment(request)
    context: dict[str, object] = {"form": form, "claude_access": why_no_claude()}
    if request.method == "POST" and form.is_valid():
        found = form.estimate()
        context |= {"estimate": found, "lines": estimate_lines(found), "mark": form.seen_mark()}
        unseen = form.cleaned_data["researcher"] == "claude" and request.POST.get("seen") != form.seen_mark()
        context["confirm"] = unseen
        if not preview and not unseen and (made := _create(request, form)) is not None:
            messages.success(request, f"Started with {len(form.plans())} agents.")
            return redirect("campaign", made.pk)
    return show(request, "agents/campaign_new.html", context, fragment="agents/_estimate.html")


@action
def campaign_start(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Lets a draft begin."""
    return _control(request, campaign_id, lambda: start_campaign(user=person(request), campaign_id=campaign_id))


@action
def campaign_freeze(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Holds every agent."""
    return _with_reason(request, campaign_id, freeze_campaign)


@action
def campaign_thaw(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Lets every agent go on."""
    return _with_reason(request, campaign_id, thaw_campaign)


@action
def campaign_stop(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Ends it for good."""
    return _with_reason(request, campaign_id, stop_campaign)


@action
def campaign_policy(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Another preset; how long approvals wait and whether flags hold stays as it was."""
    campaign, form = campaign_of(request.user, campaign_id), PolicyChoice(request.POST)
    try:
        before = current_policy(campaign_id)
        kept: dict[str, Any] = (
            {"hold_flags": before.hold_flags, "approval_seconds": before.approval_seconds} if before else {}
        )
        made = set_policy(
            user=person(request),
            campaign_id=campaign_id,
            reason=request.POST.get("reason", ""),
            **form.chosen(),
            **kept,
        )
        said = Said(f"Version {made.version} is in force.", "good")
    except LabError as error:
        said = Said(objection(error), "bad")
    if is_fragment(request):
        context = {"campaign": campaign, "said": said, **_policy(request, campaign)}
        return show(request, "", context, fragment=_PARTS["policy"])
    tell(request, said)
    return redirect("campaign", campaign_id)


def _policy(request: HttpRequest, campaign: Campaign) -> dict[str, object]:
    return {
        "policy": current_policy(campaign.pk),
        "policy_form": PolicyChoice(auto_id="policy_%s"),
        "can_set_policy": can_review(request.user),
    }


def _create(request: HttpRequest, form: NewCampaign) -> Campaign | None:
    """Made and started; None if a service objects, which the form then says."""
    user, chosen = person(request), form.cleaned_data
    try:
        made = create_campaign(
            user=user,
            name=chosen["name"],
            brief=chosen["brief"],
            benchmarks=chosen["benchmarks"],
            agents=form.plans(),
            budgets=form.budgets(),
            deadline=chosen["deadline"],
            policy=form.policy(),
        )
        return start_campaign(user=user, campaign_id=made.pk)
    except LabError as error:
        form.blame(error.pointer, str(error))
        return None


def _with_reason(request: HttpRequest, campaign_id: int, verb: Callable[..., Campaign]) -> HttpResponse:
    reason = request.POST.get("reason", "")
    return _control(request, campaign_id, lambda: verb(user=person(request), campaign_id=campaign_id, reason=reason))


def _control(request: HttpRequest, campaign_id: int, verb: Callable[[], Campaign]) -> HttpResponse:
    try:
        said = Said(f"The campaign is {verb().get_state_display().lower()}.", "good")
    except LabError as error:
        said = Said(objection(error), "bad")
    if is_fragment(request):
        context = controls(request.user, campaign_of(request.user, campaign_id)) | {"said": said}
        return show(request, "", context, fragment=_PARTS["controls"])
    tell(request, said)
    return redirect("campaign", campaign_id)
