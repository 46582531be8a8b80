"""Pages of campaigns: the list, one of them live, a new one, and its controls."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from agents.forms import NewCampaign
from agents.models import Campaign
from agents.permissions import can_run_campaigns
from agents.selectors.pages import campaign_page_of, campaign_rows
from agents.services.campaigns import (
    create_campaign,
    freeze_campaign,
    start_campaign,
    stop_campaign,
    thaw_campaign,
)
from experiments.charts import prepare
from experiments.errors import Forbidden, LabError, NotFound
from experiments.selectors.activity import last_event_number
from experiments.views.access import action, form_page, page, person, show


@page
def campaign_list(request: HttpRequest) -> HttpResponse:
    """Every campaign."""
    context = {"rows": campaign_rows(request.user), "can_run": can_run_campaigns(request.user)}
    return show(request, "agents/campaign_list.html", context)


@page
def campaign_detail(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """One campaign; htmx asks for its agents alone, or for its events."""
    try:
        shown = campaign_page_of(request.user, campaign_id)
    except NotFound as error:
        raise Http404(str(error)) from error
    context: dict[str, object] = {"shown": shown, "campaign": shown.campaign}
    context |= {"live_campaign": campaign_id, "live_after": last_event_number(campaign_id)}
    if not request.htmx:  # type: ignore[attr-defined]
        benchmark = shown.campaign.benchmark_slugs[0]
        context["chart"] = prepare("pgr-over-time", request.user, {"benchmark": benchmark, "campaign": campaign_id})
    part = "_campaign_events.html" if request.GET.get("part") == "events" else "_campaign_live.html"
    return show(request, "agents/campaign_detail.html", context, fragment=f"agents/{part}")


@require_http_methods(["GET", "POST"])
@form_page
def campaign_new(request: HttpRequest) -> HttpResponse:
    """The form of a new campaign; what it makes is started at once."""
    if not can_run_campaigns(request.user):
        raise PermissionDenied
    form = NewCampaign(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = _create(request, form)
        if made is not None:
            messages.success(request, f"Started with {len(form.cleaned_data['directions'])} agents.")
            return redirect("campaign", made.pk)
    return show(request, "agents/campaign_new.html", {"form": form})


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
        messages.success(request, f"The campaign is {verb().get_state_display().lower()}.")
    except Forbidden as error:
        raise PermissionDenied(str(error)) from error
    except NotFound as error:
        raise Http404(str(error)) from error
    except LabError as error:
        messages.error(request, str(error))
    return redirect("campaign", campaign_id)
