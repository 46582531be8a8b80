"""Whether the monitor reads, what it spends, and what it said of an experiment, for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from agents.access import why_no_claude
from agents.errors import NoPrice
from agents.models import Campaign
from agents.prices import price_of
from agents.services.budgets import MICRO
from experiments.archives.models import ImportedCampaign
from experiments.lifecycle import ExperimentState
from experiments.models import Experiment
from oversight.models import DetectorSetting, MonitorDay, Reading
from oversight.models.readings import ReadingState
from oversight.permissions import can_judge

if TYPE_CHECKING:
    from experiments.permissions import Actor
    from oversight.selectors.flags import FlagFacts

NAME = "llm-monitor"
"""Its detector's."""


@dataclass(frozen=True, slots=True)
class MonitorState:
    """note: why it does not read; empty where it does. Money in dollars, of today (UTC)."""

    note: str
    model: str
    limit: int
    spent: float
    waiting: int


@dataclass(frozen=True, slots=True)
class MonitorPanel:
    """What an experiment's page says. note: why there is nothing; withheld: scores are kept back from this viewer.

    may_ask: whether the button is there: there is something that was not read, or not with a verdict.
    """

    readings: Sequence[Reading]
    note: str
    withheld: bool
    may_ask: bool


def why_off() -> str:
    """Empty where it reads; else why not, in the words that people are shown."""
    if settings.MONITOR_DOLLARS_PER_DAY == 0:
        return "off: 0 dollars a day (MONITOR_DOLLARS_PER_DAY)"
    if why_no_claude():
        return "off: no key is set (ANTHROPIC_API_KEY)"
    if DetectorSetting.objects.filter(name=NAME, enabled=False).exists():
        return "off: an admin has switched it off"
    try:
        price_of(settings.MONITOR_MODEL)
    except NoPrice:
        return f"off: the price table has no row for {settings.MONITOR_MODEL}, so no budget could bound it"
    if not _claude_was_started():
        return "waits: no Claude campaign has been started, so nothing is spent"
    return ""


def monitor_state() -> MonitorState:
    """For the page of detectors."""
    today = MonitorDay.objects.filter(day=timezone.now().date()).first()
    return MonitorState(
        note=why_off(),
        model=settings.MONITOR_MODEL,
        limit=settings.MONITOR_DOLLARS_PER_DAY,
        spent=(today.spent + today.reserved) / MICRO if today else 0.0,
        waiting=Reading.objects.filter(state__in=[ReadingState.WAITING, ReadingState.CALLING]).count(),
    )


def monitor_panel(user: "Actor", experiment_id: int, flags: Sequence["FlagFacts"]) -> MonitorPanel:
    """flags: those on the experiment, as the viewer may see them: who is to judge a hold blind sees no score first."""
    readings = list(Reading.objects.filter(experiment=experiment_id).select_related("requested_by").order_by("-id"))
    code = Experiment.objects.filter(pk=experiment_id, snapshot__isnull=False)
    note = why_off() if code.exists() else "reads code only"
    wanted = not readings or readings[0].state == ReadingState.NO_VERDICT
    may_ask = wanted and not note and can_judge(user) and code.filter(state=ExperimentState.SCORED).exists()
    return MonitorPanel(readings, "" if readings else note, any(facts.blind for facts in flags), may_ask)


def _claude_was_started() -> bool:
    """By a person, here: campaigns that start by themselves are plain search, imported ones were another lab's."""
    imported = ImportedCampaign.objects.values("campaign")
    started = Campaign.objects.filter(started_at__isnull=False, agents__researcher="claude")
    return started.exclude(pk__in=imported).exists()
