"""The page of an agent: what it says and does, live, and the controls over it."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from agents.forms import Added
from agents.models import Agent
from agents.selectors.pages import agent_page_of
from agents.services.control import message_agent, pause_agent, resume_agent, stop_agent
from experiments.errors import Forbidden, LabError, NotFound
from experiments.selectors.activity import last_event_number
from experiments.views.access import action, page, person, show


@page
def agent_detail(request: HttpRequest, agent_id: int) -> HttpResponse:
    """One agent; htmx asks for what moves."""
    before = request.GET.get("before", "")
    try:
        shown = agent_page_of(request.user, agent_id, before=int(before) if before.isdecimal() else None)
    except NotFound as error:
        raise Http404(str(error)) from error
    campaign = shown.campaign.pk
    context = {"shown": shown, "agent": shown.agent, "before": before, "added": Added()}
    context |= {"live_campaign": campaign, "live_after": last_event_number(campaign)}
    return show(request, "agents/agent_detail.html", context, fragment="agents/_agent_live.html")


@action
def agent_pause(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Holds it; "now" cancels what is in flight."""
    now = request.POST.get("now") == "1"
    reason = request.POST.get("reason", "")
    return _control(
        request, agent_id, lambda: pause_agent(user=person(request), agent_id=agent_id, reason=reason, now=now)
    )


@action
def agent_resume(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Lets it go on, with more budget if asked for; `latch` names the one to release."""
    reason, latch = request.POST.get("reason", ""), request.POST.get("latch", "")
    more = Added(request.POST).amounts()
    return _control(
        request,
        agent_id,
        lambda: resume_agent(
            user=person(request),
            agent_id=agent_id,
            reason=reason,
            add_budget=more,
            kinds=[latch] if latch else None,
        ),
    )


@action
def agent_stop(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Ends it for good."""
    reason = request.POST.get("reason", "")
    return _control(request, agent_id, lambda: stop_agent(user=person(request), agent_id=agent_id, reason=reason))


@action
def agent_message(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Tells it something."""
    text = request.POST.get("message", "")
    return _control(request, agent_id, lambda: message_agent(user=person(request), agent_id=agent_id, text=text))


def _control(request: HttpRequest, agent_id: int, verb: Callable[[], Agent]) -> HttpResponse:
    try:
        agent = verb()
        messages.success(request, f"{agent.name} is {agent.get_state_display().lower()}.")
    except Forbidden as error:
        raise PermissionDenied(str(error)) from error
    except NotFound as error:
        raise Http404(str(error)) from error
    except LabError as error:
        messages.error(request, str(error))
    return redirect("agent", agent_id)
