"""The first campaign of a new lab: nine search researchers, so that a newcomer sees research within minutes.

It spends no money: the search researcher needs no key. AUTOSTART=0 prevents it.
"""

import logging

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from agents.directions import DIRECTIONS
from agents.lifecycle import BudgetKind
from agents.models import Campaign
from agents.services.campaigns import AgentPlan, create_campaign, start_campaign
from experiments.lifecycle import BenchmarkState, MethodClass
from experiments.models import Benchmark, EventCounter, Method

log = logging.getLogger(__name__)

BENCHMARK = "geography"
OWNER = "owner"
GPU_SECONDS = 7_200  # two hours of a worker at most; nine searches stop by themselves long before


@transaction.atomic
def start_first_campaign() -> Campaign | None:
    """Start it once the benchmark is ready and the recipes are known; None if it is not time, or was done before."""
    if not settings.AUTOSTART or Campaign.objects.exists():
        return None
    owner = get_user_model().objects.filter(username=OWNER).first()
    ready = Benchmark.objects.filter(slug=BENCHMARK, state=BenchmarkState.READY).exists()
    recipes = Method.objects.filter(enabled=True, method_class=MethodClass.WEAK_TO_STRONG).exists()
    if owner is None or not ready or not recipes:
        return None
    # whoever comes second waits here, and then finds the campaign
    EventCounter.objects.select_for_update().filter(pk=0).first()
    if Campaign.objects.exists():
        return None
    made = create_campaign(
        user=owner,
        name="First campaign: plain search",
        brief="How far does plain search over the recipes get? No language model takes part.",
        benchmarks=[BENCHMARK],
        agents=[AgentPlan(researcher="search", direction=each.slug, name=each.slug) for each in DIRECTIONS],
        budgets={BudgetKind.GPU_SECONDS: GPU_SECONDS},
    )
    log.info("the first campaign starts: %d search researchers on %s", len(DIRECTIONS), BENCHMARK)
    return start_campaign(user=owner, campaign_id=made.pk)
