"""What the pages of campaigns and agents show."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Max, Sum

from agents.lifecycle import AT_WORK
from agents.models import Action, Agent, Campaign, Entry, Latch, Notebook, Step
from agents.permissions import can_message, can_review, can_run_campaigns
from agents.selectors.campaigns import agent_of, agents_for, campaign_of, campaigns_for
from agents.services.budgets import Left, campaign_budgets, left
from agents.services.transcript import read_notebook
from experiments.archives.importing import imported_campaign
from experiments.archives.models import ImportedCampaign
from experiments.lifecycle import ExperimentState, Standing
from experiments.models import Experiment
from experiments.permissions import can_see_holdout
from experiments.selectors.activity import Line, latest_events

if TYPE_CHECKING:
    from experiments.permissions import Actor

ENTRIES_SHOWN = 40
EXPERIMENTS_SHOWN = 15
LONG = 400  # characters


@dataclass(frozen=True, slots=True)
class Card:
    """One agent at a glance; best: of its counted experiments."""

    agent: Agent
    latches: list[Latch]
    best: float | None
    experiments: int
    cost: int
    at_work: bool


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One line of the list."""

    campaign: Campaign
    agents: int
    best: float | None


@dataclass(frozen=True, slots=True)
class CampaignPage:
    """What the page of one campaign shows."""

    campaign: Campaign
    cards: list[Card]
    budgets: list[Left]
    events: list[Line]
    held: int
    can_run: bool
    can_review: bool
    can_see_holdout: bool
    imported: ImportedCampaign | None


@dataclass(frozen=True, slots=True)
class Called:
    """One tool call of a message with what became of it."""

    tool: str
    arguments: str
    action: Action | None


@dataclass(frozen=True, slots=True)
class Said:
    """One message as people read it. thoughts: what the model thought, folded away."""

    entry: Entry
    texts: list[str]
    thoughts: list[str]
    calls: list[Called]

    @property
    def folded(self) -> bool:
        """What it was told rather than said is folded away when it is long."""
        return self.entry.role == "user" and sum(map(len, self.texts)) > LONG and self.entry.kind != "person"


@dataclass(frozen=True, slots=True)
class AgentPage:
    """What the page of one agent shows. older: number before which more messages are, if there are."""

    card: Card
    campaign: Campaign
    said: list[Said]
    older: int | None
    notebook: Notebook | None
    budgets: list[Left]
    experiments: list[Experiment]
    steps: list[Step]
    history: list[Latch]
    can_review: bool
    can_message: bool

    @property
    def agent(self) -> Agent:
        """Whose page it is."""
        return self.card.agent


def campaign_rows(user: "Actor") -> list[CampaignRow]:
    """Every campaign, newest first, with its size and the best counted dev PGR."""
    campaigns = list(campaigns_for(user).annotate(agent_count=Count("agents")))
    best = _best("campaign", [each.pk for each in campaigns])
    return [CampaignRow(each, each.agent_count, best.get(each.pk)) for each in campaigns]


def campaign_page_of(user: "Actor", campaign_id: int) -> CampaignPage:
    """Raises: NotFound."""
    campaign = campaign_of(user, campaign_id)
    cards = _cards(list(agents_for(user, campaign=campaign_id).order_by("id")))
    return CampaignPage(
        campaign=campaign,
        cards=cards,
        budgets=campaign_budgets(campaign),
        events=latest_events(campaign=campaign_id),
        held=sum(not card.at_work for card in cards),
        can_run=can_run_campaigns(user),
        can_review=can_run_campaigns(user) or can_review(user),
        can_see_holdout=can_see_holdout(user),
        imported=imported_campaign(campaign_id),
    )


def agent_page_of(user: "Actor", agent_id: int, *, before: int | None = None) -> AgentPage:
    """Its messages before a number, the latest by default. Raises: NotFound."""
    agent = agent_of(user, agent_id)
    found = Entry.objects.filter(agent=agent).exclude(kind=Entry.Kind.RESULTS).select_related("step")
    found = found.filter(number__lt=before) if before else found
    entries = list(found.order_by("-number")[: ENTRIES_SHOWN + 1])
    more, entries = len(entries) > ENTRIES_SHOWN, entries[:ENTRIES_SHOWN][::-1]
    own = Experiment.objects.filter(submitter=agent.user_id).select_related("benchmark", "method")
    return AgentPage(
        card=_cards([agent])[0],
        campaign=agent.campaign,
        said=_said(entries),
        older=entries[0].number if more else None,
        notebook=read_notebook(agent),
        budgets=left(agent),
        experiments=list(own.defer("hypothesis", "search").order_by("-id")[:EXPERIMENTS_SHOWN]),
        steps=list(Step.objects.filter(agent=agent).order_by("-number")[:1]),
        history=list(agent.latches.exclude(released_at=None).select_related("set_by", "released_by")[:10]),
        can_review=can_review(user),
        can_message=can_message(user),
    )


def _cards(agents: list[Agent]) -> list[Card]:
    best = _best("submitter", [each.user_id for each in agents])
    counts = dict(
        Experiment.objects.filter(submitter__in=[each.user_id for each in agents])
        .values_list("submitter")
        .annotate(Count("id"))
        .order_by()
    )
    costs = dict(Step.objects.filter(agent__in=agents).values_list("agent").annotate(Sum("cost")).order_by())
    return [
        Card(
            agent=each,
            latches=each.open_latches,  # type: ignore[attr-defined]
            best=best.get(each.user_id),
            experiments=counts.get(each.user_id, 0),
            cost=costs.get(each.pk, 0),
            at_work=each.state in AT_WORK,
        )
        for each in agents
    ]


def _best(column: str, keys: list[int]) -> dict[int, float]:
    counted = Experiment.objects.filter(
        **{f"{column}__in": keys}, state=ExperimentState.SCORED, standing=Standing.COUNTED
    )
    return dict(counted.values_list(column).annotate(best=Max("dev_pgr")).order_by())


def _said(entries: list[Entry]) -> list[Said]:
    actions: dict[tuple[int, str], Action] = {}
    for action in Action.objects.filter(step__in=[entry.step_id for entry in entries if entry.step_id]):
        actions[action.step_id, action.call_id] = action
    return [_message(entry, actions) for entry in entries]


def _message(entry: Entry, actions: dict[tuple[int, str], Action]) -> Said:
    texts, thoughts, calls = [], [], []
    for block in entry.content:
        kind: Any = block.get("type")
        if kind == "text":
            texts.append(block["text"])
        elif kind == "thinking" and block.get("thinking"):
            thoughts.append(block["thinking"])
        elif kind == "tool_use":
            arguments = json.dumps(block["input"], indent=1, ensure_ascii=False)
            calls.append(Called(block["name"], arguments, actions.get((entry.step_id or 0, block["id"]))))
    return Said(entry, texts, thoughts, calls)
