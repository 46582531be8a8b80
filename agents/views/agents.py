"""The page of an agent: what it says and does, live, and the controls over it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from agents.charts import AGENT_SPEND
from agents.forms import Added
from agents.models import Agent
from agents.selectors.pages import agent_page_of, notebook_page_of
from agents.services.control import message_agent, pause_agent, resume_agent, stop_agent
from agents.views.answers import Said, tell
from experiments.charts import prepare
from experiments.errors import LabError
from experiments.selectors.activity import last_event_number
from experiments.views.access import action, is_fragment, objection, page, person, show

_PARTS = {name: f"agents/_agent_{name}.html" for name in ("live", "controls", "latches")}


@page
def agent_detail(request: HttpRequest, agent_id: int) -> HttpResponse:
    """One agent; htmx asks for one of the parts that move."""
    before = request.GET.get("before", "")
    context = _context(request, agent_id, before=int(before) if before.isdecimal() and len(before) < 10 else None)
    if not is_fragment(request):
        context["spend_chart"] = prepare(AGENT_SPEND, request.user, {"agent": agent_id})
    part = request.GET.get("part", "live")
    return show(request, "agents/agent_detail.html", context, fragment=_PARTS.get(part, _PARTS["live"]))


@page
def agent_notebook(request: HttpRequest, agent_id: int, version: int) -> HttpResponse:
    """One version of its notebook, with what changed."""
    shown = notebook_page_of(request.user, agent_id, version)
    context = {"agent": shown.agent, "book": shown.book, "latest": shown.latest, "changes": shown.changes}
    return show(request, "agents/agent_notebook.html", context)


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
    form = Added(request.POST)

    def resume() -> Agent:
        return resume_agent(
            user=person(request),
            agent_id=agent_id,
            reason=reason,
            add_budget=form.amounts(),
            kinds=[latch] if latch else None,
        )

    return _control(request, agent_id, resume, part="latches" if latch else "controls")


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


def _control(request: HttpRequest, agent_id: int, verb: Callable[[], Agent], *, part: str = "controls") -> HttpResponse:
    """part: which fragment the form was in, and is answered by."""
    try:
        agent = verb()
        said = Said(f"{agent.name} is {agent.get_state_display().lower()}.", "good")
    except LabError as error:
        said = Said(objection(error), "bad")
    if is_fragment(request):
        return show(request, "", _context(request, agent_id) | {"said": said}, fragment=_PARTS[part])
    tell(request, said)
    return redirect("agent", agent_id)


def _context(request: HttpRequest, agent_id: int, *, before: int | None = None) -> dict[str, object]:
    shown = agent_page_of(request.user, agent_id, before=before)
    campaign = shown.campaign.pk
    return {
        "shown": shown,
        "agent": shown.agent,
        "before": before,
        "added": Added(kinds={each.kind for each in shown.budgets}),
        "live_subject": f"agent:{agent_id}",
        "live_campaign": campaign,
        "live_after": last_event_number(campaign),
    }
