"""The dashboard: how a campaign is doing, what the lab does now, and how to begin."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from agents.access import has_key
from agents.models import Campaign
from agents.permissions import can_run_campaigns
from agents.selectors.dashboard import chosen_campaign, controls, glance
from experiments.charts import prepare
from experiments.events import LAB
from experiments.permissions import can_submit
from experiments.selectors.activity import last_event_number, latest_events
from experiments.selectors.benchmark_choice import charted_benchmark
from experiments.selectors.benchmark_page import benchmark_cards
from experiments.selectors.dashboard import at_work, state_counts
from experiments.selectors.workers_page import health
from experiments.views.access import is_fragment, page, show
from forum.selectors.news import latest_findings
from oversight.selectors.watch import watch

_PARTS = {
    "now": "home/_now.html",
    "events": "agents/_campaign_events.html",
    "benchmarks": "home/_benchmarks.html",
    "findings": "home/_findings.html",
    "live": "agents/_glance.html",
    "begin": "home/_begin.html",
    "watch": "oversight/_watch.html",
}


@page
def home(request: HttpRequest) -> HttpResponse:
    """Everything at once; htmx asks for one part. ?campaign= chooses, else the newest that runs is shown."""
    part = request.GET.get("part", "now") if is_fragment(request) else ""
    chosen = chosen_campaign(request.user, request.GET.get("campaign", ""))
    campaign = chosen.campaign
    number = campaign.pk if campaign else LAB
    context = _frame(request, campaign) | {"choices": chosen.choices}
    if part in ("", "now", "begin"):
        context |= _now(request)
    if part in ("", "events"):
        context |= {
            "events": latest_events(request.user, campaign=number),
            "events_url": f"{request.path}?part=events&campaign={number}",
        }
    if part in ("", "benchmarks"):
        context["cards"] = benchmark_cards(request.user)
    if part in ("", "findings"):
        context["findings"] = latest_findings(request.user, campaign=number)
    if part in ("", "watch"):
        context["watch"] = watch(request.user, campaign)
    if part in ("", "live") and campaign:
        context |= {"shown": glance(request.user, campaign), "glance_title": "Spend and agents"}
    if not part:
        context |= _progress(request, campaign)
    return show(request, "home/home.html", context, fragment=_PARTS.get(part, _PARTS["now"]))


def _frame(request: HttpRequest, campaign: Campaign | None) -> dict[str, object]:
    number = campaign.pk if campaign else LAB
    context: dict[str, object] = {
        "can_submit": can_submit(request.user),
        "can_run": can_run_campaigns(request.user),
        "has_key": has_key(),
        "autostart": settings.AUTOSTART,
        "live_campaign": number,
        "live_after": last_event_number(number),
        "live_url": f"{reverse('home')}?part=live&campaign={number}",
        "watch_url": f"{reverse('home')}?part=watch&campaign={number}",
    }
    return context | (controls(request.user, campaign) if campaign else {"campaign": None})


def _now(request: HttpRequest) -> dict[str, object]:
    counts = state_counts(request.user)
    return {
        "counts": counts,
        "total": sum(counts.values()),
        "now": at_work(request.user, counts),
        "health": health(),
    }


def _progress(request: HttpRequest, campaign: Campaign | None) -> dict[str, object]:
    """The figure of a campaign is about one of its benchmarks; without a campaign it is about everybody's work."""
    asked = request.GET.get("benchmark", "")
    slugs = campaign.benchmark_slugs if campaign else []
    if campaign and asked not in slugs:
        asked = slugs[0] if slugs else ""
    benchmark = charted_benchmark(request.user, asked)
    params: dict[str, object] = {"benchmark": benchmark.slug} if benchmark else {}
    if campaign:
        params["campaign"] = campaign.pk
    chart = prepare("pgr-over-time", request.user, params) if benchmark else None
    return {"charted": benchmark, "progress_chart": chart, "campaign_slugs": slugs}
