"""What the pages of campaigns and agents show."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Max

from agents.lifecycle import AGENT_ENDED
from agents.models import Action, Agent, Campaign, Entry, Latch, Notebook
from agents.permissions import can_message, can_review
from agents.selectors.campaigns import agent_of, campaigns_for
from agents.selectors.cards import Card, cards
from agents.services.budgets import Left, left
from agents.services.transcript import read_notebook
from experiments.errors import NotFound
from experiments.hidden_words import hidden_from
from experiments.lifecycle import ExperimentState, Standing
from experiments.models import Experiment
from experiments.snapshots.diffs import Difference, compare
from experiments.unsaid import Unsaid

if TYPE_CHECKING:
    from experiments.permissions import Actor

ENTRIES_SHOWN = 40
EXPERIMENTS_SHOWN = 15
LONG = 400  # characters


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One line of the list."""

    campaign: Campaign
    agents: int
    best: float | None


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
    history: list[Latch]
    can_review: bool
    can_message: bool

    @property
    def agent(self) -> Agent:
        """Whose page it is."""
        return self.card.agent

    @property
    def ended(self) -> bool:
        """Whether nothing can be asked of it any more."""
        return self.card.agent.state in AGENT_ENDED


@dataclass(frozen=True, slots=True)
class NotebookPage:
    """One version of a notebook, and how it differs from the one before."""

    agent: Agent
    book: Notebook
    latest: int
    changes: list[Difference]


def campaign_rows(user: "Actor") -> list[CampaignRow]:
    """Every campaign, newest first, with its size and the best counted dev PGR."""
    campaigns = list(campaigns_for(user).annotate(agent_count=Count("agents")))
    best = _best("campaign", [each.pk for each in campaigns])
    return [CampaignRow(each, each.agent_count, best.get(each.pk)) for each in campaigns]


def agent_page_of(user: "Actor", agent_id: int, *, before: int | None = None) -> AgentPage:
    """Its messages before a number, the latest by default. Raises: NotFound."""
    agent = agent_of(user, agent_id)
    found = Entry.objects.filter(agent=agent).exclude(kind=Entry.Kind.RESULTS).select_related("step")
    found = found.filter(number__lt=before) if before else found
    entries = list(found.order_by("-number")[: ENTRIES_SHOWN + 1])
    hidden = hidden_from(user)
    more, entries = len(entries) > ENTRIES_SHOWN, entries[:ENTRIES_SHOWN][::-1]
    own = Experiment.objects.filter(submitter=agent.user_id).select_related("benchmark", "method")
    return AgentPage(
        card=cards([agent], Agent.objects.filter(pk=agent.pk))[0],
        campaign=agent.campaign,
        said=_said(entries, hidden),
        older=entries[0].number if more else None,
        notebook=_read(read_notebook(agent), hidden),
        budgets=left(agent),
        experiments=list(own.defer("hypothesis", "search").order_by("-id")[:EXPERIMENTS_SHOWN]),
        history=list(agent.latches.exclude(released_at=None).select_related("set_by", "released_by")[:10]),
        can_review=can_review(user),
        can_message=can_message(user),
    )


def notebook_page_of(user: "Actor", agent_id: int, version: int) -> NotebookPage:
    """Raises: NotFound."""
    agent = agent_of(user, agent_id)
    found = {each.version: each for each in Notebook.objects.filter(agent=agent, version__in=[version - 1, version])}
    latest = read_notebook(agent)
    if version not in found or latest is None:
        raise NotFound(f"no version {version} of the notebook of agent {agent_id}")
    hidden = hidden_from(user)
    for each in found.values():
        _read(each, hidden)
    before = {"notebook": found[version - 1].body} if version - 1 in found else {}
    return NotebookPage(agent, found[version], latest.version, compare(before, {"notebook": found[version].body}))


def _read(book: Notebook | None, hidden: Unsaid) -> Notebook | None:
    """As this reader may read it; the row stays as it is."""
    if book is not None:
        book.body = hidden.taken_out(book.body)
    return book


def _best(column: str, keys: list[int]) -> dict[int, float]:
    counted = Experiment.objects.filter(
        **{f"{column}__in": keys}, state=ExperimentState.SCORED, standing=Standing.COUNTED
    )
    return dict(counted.values_list(column).annotate(best=Max("dev_pgr")).order_by())


def _said(entries: list[Entry], hidden: Unsaid) -> list[Said]:
    actions: dict[tuple[int, str], Action] = {}
    for action in Action.objects.filter(step__in=[entry.step_id for entry in entries if entry.step_id]):
        action.result = hidden.taken_out(action.result)
        actions[action.step_id, action.call_id] = action
    return [_message(entry, hidden.taken_out(entry.content), actions) for entry in entries]


def _message(entry: Entry, content: list[dict[str, Any]], actions: dict[tuple[int, str], Action]) -> Said:
    texts, thoughts, calls = [], [], []
    for block in content:
        kind: Any = block.get("type")
        if kind == "text":
            texts.append(block["text"])
        elif kind == "thinking" and block.get("thinking"):
            thoughts.append(block["thinking"])
        elif kind == "tool_use":
            arguments = json.dumps(block["input"], indent=1, ensure_ascii=False)
            calls.append(Called(block["name"], arguments, actions.get((entry.step_id or 0, block["id"]))))
    return Said(entry, texts, thoughts, calls)
