"""What of a campaign lies in this app: the campaign itself, its agents with their transcripts, actions, notebooks."""

from typing import Any

from django.db.models import QuerySet

from agents.lifecycle import AGENT_ENDED, CAMPAIGN_ENDED, AgentState, CampaignState
from agents.models import Action, Agent, Budget, Campaign, Entry, Latch, Notebook, Step
from experiments.archives.tables import Column, Names, Row, Scope, Table, World
from experiments.models import Evaluation
from experiments.snapshots.models import Snapshot


def collect(scope: Scope) -> None:
    """Code that its agents handed in, used or not; the benchmarks it works on."""
    if scope.imported is not None:
        return
    code = Snapshot.objects.filter(submitter__agent__campaign=scope.campaign)
    scope.ids.setdefault("snapshots", set()).update(code.values_list("pk", flat=True))
    named = Campaign.benchmarks.through.objects.filter(campaign=scope.campaign)
    scope.ids.setdefault("benchmarks", set()).update(named.values_list("benchmark", flat=True))


class Campaigns(Table):
    """One row: the campaign. Here it has ended, whatever it was doing there."""

    name = "campaigns"
    model = Campaign
    columns = (
        Column("id", "id"), Column("name"), Column("brief"), Column("benchmarks", "refs", "benchmarks"),
        Column("state"), Column("reason"), Column("created_by", "ref", "people"), Column("created_at", "time"),
        Column("started_at", "time", null=True), Column("ended_at", "time", null=True),
        Column("deadline", "time", null=True),
    )  # fmt: skip
    translated = frozenset({"state"})

    def base(self) -> QuerySet[Any]:
        """With benchmarks."""
        return super().base().prefetch_related("benchmarks")

    def select(self, scope: Scope) -> QuerySet[Any]:
        """It alone."""
        return self.base().filter(pk=scope.campaign)

    def value(self, column: Column, row: Any, names: Names) -> Any:
        """Benchmarks by id."""
        if column.kind == "refs":
            found = [names.original("benchmarks", each.pk) for each in row.benchmarks.all()]
            return sorted(each for each in found if each is not None)
        return super().value(column, row, names)

    def restore(self, row: Row, world: World) -> Any:
        """The campaign's number here is known from now on."""
        made: Any = super().restore(row, world)
        made.benchmarks.set([world.local("benchmarks", each) for each in row["benchmarks"]])
        world.campaign = made.pk
        return made

    def fields(self, row: Row, world: World) -> dict[str, Any]:
        """Ended."""
        state = row["state"] if row["state"] in CAMPAIGN_ENDED else CampaignState.STOPPED
        return super().fields(row, world) | {"state": state}


class _OfAgents(Table):
    """Rows that hang on agents by `path`."""

    path = "agent__campaign"

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Of the campaign's agents."""
        return self.base().filter(**{self.path: scope.campaign})


class Agents(_OfAgents):
    """Who did the research. Here each has ended."""

    name = "agents"
    model = Agent
    path = "campaign"
    columns = (
        Column("id", "id"), Column("campaign", "ref", "campaigns"), Column("user", "ref", "people"), Column("name"),
        Column("researcher"), Column("model"), Column("direction"), Column("brief"), Column("seed", "int"),
        Column("state"), Column("state_since", "time"), Column("doing"), Column("steps_done", "int"),
        Column("failures", "int"), Column("error"),
    )  # fmt: skip
    translated = frozenset({"state"})

    def fields(self, row: Row, world: World) -> dict[str, Any]:
        """No worker takes it up."""
        state = row["state"] if row["state"] in AGENT_ENDED else AgentState.STOPPED
        return super().fields(row, world) | {"state": state}


class Latches(_OfAgents):
    """What held an agent, and why."""

    name = "latches"
    model = Latch
    columns = (
        Column("id", "id"), Column("agent", "ref", "agents"), Column("kind"), Column("now", "bool"), Column("reason"),
        Column("set_by", "ref", "people", null=True), Column("set_at", "time"),
        Column("confirmed_at", "time", null=True), Column("released_by", "ref", "people", null=True),
        Column("released_at", "time", null=True), Column("release_reason"),
    )  # fmt: skip


class Budgets(_OfAgents):
    """What might be spent and what was."""

    name = "budgets"
    model = Budget
    path = "campaign"
    columns = (
        Column("id", "id"), Column("campaign", "ref", "campaigns"), Column("agent", "ref", "agents", null=True),
        Column("kind"), Column("limit", "int"), Column("spent", "int"),
    )  # fmt: skip


class Steps(_OfAgents):
    """Observe, think, act."""

    name = "steps"
    model = Step
    columns = (
        Column("id", "id"), Column("agent", "ref", "agents"), Column("number", "int"), Column("state"),
        Column("attempt", "int"), Column("stop_reason"), Column("usage", "json"), Column("cost", "int"),
        Column("error"), Column("partial"), Column("started_at", "time"), Column("finished_at", "time", null=True),
    )  # fmt: skip


class Actions(_OfAgents):
    """Tool calls with arguments and results."""

    name = "actions"
    model = Action
    path = "step__agent__campaign"
    columns = (
        Column("id", "id"), Column("step", "ref", "steps"), Column("index", "int"), Column("call_id"), Column("tool"),
        Column("arguments", "json"), Column("digest"), Column("state"), Column("result"), Column("is_error", "bool"),
        Column("started_at", "time", null=True), Column("finished_at", "time", null=True),
    )  # fmt: skip


class Entries(_OfAgents):
    """The transcripts."""

    name = "transcript"
    model = Entry
    columns = (
        Column("id", "id"), Column("agent", "ref", "agents"), Column("number", "int"), Column("role"), Column("kind"),
        Column("content", "json"), Column("step", "ref", "steps", null=True), Column("created_at", "time"),
    )  # fmt: skip


class Notebooks(_OfAgents):
    """Every version of every agent's memory."""

    name = "notebooks"
    model = Notebook
    columns = (
        Column("id", "id"), Column("agent", "ref", "agents"), Column("version", "int"), Column("body"),
        Column("created_at", "time"),
    )  # fmt: skip


class Uploads(Table):
    """What outside agents had scored, and what they were told; the exact accuracy is not told to anybody here."""

    name = "uploads"
    model = Evaluation
    restored = False
    columns = (
        Column("id", "id"), Column("submitter", "ref", "people"), Column("benchmark", "ref", "benchmarks"),
        Column("n_items", "int"), Column("reported_pgr", "float", null=True), Column("predictions_digest"),
        Column("created_at", "time"),
    )  # fmt: skip

    def select(self, scope: Scope) -> QuerySet[Any]:
        """By the campaign's agents."""
        return Evaluation.objects.uploads().filter(submitter__agent__campaign=scope.campaign)


TABLES: list[Table] = [
    Campaigns(), Agents(), Latches(), Budgets(), Steps(), Actions(), Entries(), Notebooks(), Uploads(),
]  # fmt: skip
