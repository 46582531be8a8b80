"""What of a campaign lies in this app: the campaign itself, its agents with their transcripts, actions, notebooks."""

from typing import Any

from django.db.models import Q, QuerySet

from agents.lifecycle import AGENT_ENDED, CAMPAIGN_ENDED, AgentState, CampaignState
from agents.models import Action, Agent, Approval, Budget, Campaign, Entry, Latch, Notebook, Policy, Step
from experiments.archives.columns import Column, Row
from experiments.archives.forms import CONTENT, COUNTS, OBJECT, OBJECTS
from experiments.archives.left_out import LEASE, LeftOut
from experiments.archives.tables import Names, Scope, Table, World
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
    told = frozenset({
        "id", "name", "brief", "benchmarks", "state", "reason", "created_by", "created_at", "started_at", "ended_at",
        "deadline",
    })  # fmt: skip
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
    told = frozenset({
        "id", "campaign", "user", "name", "researcher", "model", "direction", "brief", "seed", "state", "state_since",
        "doing", "steps_done", "failures", "error",
    })  # fmt: skip
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
    told = frozenset({
        "id", "agent", "kind", "now", "reason", "set_by", "set_at", "confirmed_at", "released_by", "released_at",
    })  # fmt: skip


class Budgets(_OfAgents):
    """What might be spent and what was."""

    name = "budgets"
    model = Budget
    path = "campaign"
    columns = (
        Column("id", "id"), Column("campaign", "ref", "campaigns"), Column("agent", "ref", "agents", null=True),
        Column("kind"), Column("limit", "int"), Column("spent", "int"),
    )  # fmt: skip
    told = frozenset({"id", "campaign", "agent", "kind", "limit", "spent"})


class Steps(_OfAgents):
    """Observe, think, act."""

    name = "steps"
    model = Step
    columns = (
        Column("id", "id"), Column("agent", "ref", "agents"), Column("number", "int"), Column("state"),
        Column("attempt", "int"), Column("stop_reason"), Column("usage", "json", form=COUNTS), Column("cost", "int"),
        Column("error"), Column("partial"), Column("started_at", "time"), Column("finished_at", "time", null=True),
    )  # fmt: skip
    quotes = frozenset({"error", "partial"})
    told = frozenset({
        "id", "agent", "number", "state", "attempt", "stop_reason", "usage", "cost", "error", "partial", "started_at",
        "finished_at",
    })  # fmt: skip


class Actions(_OfAgents):
    """Tool calls with arguments and results."""

    name = "actions"
    model = Action
    path = "step__agent__campaign"
    columns = (
        Column("id", "id"), Column("step", "ref", "steps"), Column("index", "int"), Column("call_id"), Column("tool"),
        Column("arguments", "json", form=OBJECT), Column("digest"), Column("state"), Column("result"),
        Column("is_error", "bool"),
        Column("started_at", "time", null=True), Column("finished_at", "time", null=True),
    )  # fmt: skip
    quotes = frozenset({"arguments", "result"})
    told = frozenset({
        "id", "step", "index", "call_id", "tool", "arguments", "digest", "state", "result", "is_error", "started_at",
        "finished_at",
    })  # fmt: skip


class Entries(_OfAgents):
    """The transcripts."""

    name = "transcript"
    model = Entry
    columns = (
        Column("id", "id"), Column("agent", "ref", "agents"), Column("number", "int"), Column("role"), Column("kind"),
        Column("content", "json", form=CONTENT), Column("step", "ref", "steps", null=True),
        Column("created_at", "time"),
    )  # fmt: skip
    quotes = frozenset({"content"})
    told = frozenset({"id", "agent", "number", "role", "kind", "content", "step", "created_at"})


class Notebooks(_OfAgents):
    """Every version of every agent's memory."""

    name = "notebooks"
    model = Notebook
    columns = (
        Column("id", "id"), Column("agent", "ref", "agents"), Column("version", "int"), Column("body"),
        Column("created_at", "time"),
    )  # fmt: skip
    quotes = frozenset({"body"})
    told = frozenset({"id", "agent", "version", "body", "created_at"})


class Policies(Table):
    """Versions of the campaign's rules, and those of the lab under which somebody was asked; they rule nothing here."""

    name = "policies"
    model = Policy
    restored = False
    columns = (
        Column("id", "id"), Column("campaign", "ref", "campaigns", null=True), Column("version", "int"),
        Column("rules", "json", form=OBJECTS), Column("hold_flags", "bool"), Column("approval_seconds", "int"),
        Column("reason"),
        Column("made_by", "ref", "people", null=True), Column("created_at", "time"),
    )  # fmt: skip
    told = frozenset({"id", "campaign", "version", "rules", "hold_flags", "approval_seconds", "made_by", "created_at"})

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Its own, and those that approvals name."""
        return self.base().filter(Q(campaign=scope.campaign) | Q(pk__in=scope.seen.get(self.name, set())))


class Approvals(_OfAgents):
    """Calls that people were asked about, and what they said; nothing may be run here because of it."""

    name = "approvals"
    model = Approval
    restored = False
    columns = (
        Column("id", "id"), Column("action", "ref", "actions", null=True), Column("agent", "ref", "agents"),
        Column("policy", "ref", "policies"), Column("tool"), Column("arguments", "json", form=OBJECT),
        Column("edited_arguments", "json", null=True, form=OBJECT), Column("digest"), Column("rule", "int"),
        Column("why"),
        Column("cost", "json", form=OBJECT), Column("requested_at", "time"), Column("expires_at", "time"),
        Column("state"),
        Column("decided_by", "ref", "people", null=True), Column("decided_at", "time", null=True), Column("note"),
        Column("used_at", "time", null=True), Column("told_at", "time", null=True),
    )  # fmt: skip
    quotes = frozenset({"arguments", "edited_arguments"})
    told = frozenset({
        "id", "action", "agent", "policy", "tool", "arguments", "edited_arguments", "digest", "rule", "why", "cost",
        "requested_at", "expires_at", "state", "decided_by", "decided_at", "note", "used_at", "told_at",
    })  # fmt: skip


class Uploads(Table):
    """What outside agents had scored, and what they were told; the exact accuracy is not told to anybody here."""

    name = "uploads"
    model = Evaluation
    restored = False
    columns = (
        Column("id", "id"), Column("submitter", "ref", "people"), Column("benchmark", "ref", "benchmarks"),
        Column("n_items", "int"), Column("reported_pgr", "float", null=True), Column("scorer_version"),
        Column("predictions_digest"), Column("created_at", "time"),
    )  # fmt: skip
    told = frozenset({
        "id", "submitter", "benchmark", "n_items", "reported_pgr", "scorer_version", "predictions_digest",
        "created_at",
    })  # fmt: skip

    def select(self, scope: Scope) -> QuerySet[Any]:
        """By the campaign's agents."""
        return Evaluation.objects.uploads().filter(submitter__agent__campaign=scope.campaign)


TABLES: list[Table] = [
    Campaigns(), Agents(), Latches(), Budgets(), Steps(), Actions(), Entries(), Notebooks(), Policies(), Approvals(),
    Uploads(),
]  # fmt: skip
LEFT_OUT: LeftOut = {
    "agents.Agent": {
        **LEASE,
        **dict.fromkeys(("wake_at", "waits_for"), "passing: what it waits for"),
        **dict.fromkeys(("seen_event", "seen_finding"), "passing: how far it was told the news"),
    },
    "agents.Budget": {"reserved": "passing: held for calls in flight"},
    "agents.Reservation": "budgets say what was spent; the calls are in steps",
    "agents.Price": "the lab's, not the campaign's",
    "agents.Token": "tokens never leave",
}
