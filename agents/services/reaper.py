"""What the clock does: wakes agents whose message was lost or whose worker died, ends campaigns that are over."""

from django.utils import timezone

from agents import dispatch
from agents.lifecycle import AgentState, CampaignState
from agents.models import Agent, Campaign
from agents.services.approvals import expire_due
from agents.services.autostart import start_first_campaign
from agents.services.campaigns import finish_if_done
from agents.services.gpu_time import settle_ended
from agents.services.steps import wake_waiting
from experiments.lifecycle import EXPERIMENT_TERMINAL
from experiments.models import Experiment

MOST_WOKEN = 500  # a visit stays short; the next one follows in seconds


def reap() -> None:
    """Safe to run twice at once: every change is guarded by the row it changes."""
    for experiment_id in _missed():
        wake_waiting(experiment_id=experiment_id)
    settle_ended()
    expire_due()
    start_first_campaign()
    for campaign in Campaign.objects.filter(state=CampaignState.RUNNING):
        finish_if_done(campaign_id=campaign.pk)
    due = Agent.objects.due(timezone.now()).filter(campaign__state__in=[CampaignState.RUNNING, CampaignState.FROZEN])
    dispatch.wake(due.order_by("id").values_list("pk", flat=True)[:MOST_WOKEN])


def _missed() -> list[int]:
    """Experiments that have ended while somebody still waits for them."""
    waiting = Agent.objects.filter(state=AgentState.WAITING).exclude(waits_for=[]).values_list("waits_for", flat=True)
    ids = {each for wanted in waiting for each in wanted}
    return list(Experiment.objects.filter(pk__in=ids, state__in=EXPERIMENT_TERMINAL).values_list("pk", flat=True))
