"""Agents at a glance: what each is doing and for how long, its best score with interval and n, what it has spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, QuerySet, Sum

from agents.lifecycle import AT_WORK, ActionState, AgentState, ApprovalState
from agents.models import Action, Agent, Approval, Latch, Step
from experiments.lifecycle import ExperimentState, Standing
from experiments.models import Experiment
from experiments.selectors.scores import Score, dev_score


@dataclass(frozen=True, slots=True)
class Doing:
    """What an agent does, as the loop has confirmed it. since: counts up; until: counts down; neither: no clock."""

    text: str
    since: datetime | None = None
    until: datetime | None = None
    experiment: int | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """One agent. best: of its counted experiments, `best_experiment` is which. cost: micro-dollars.

    asked: its calls that a person has to answer, the oldest first.
    """

    agent: Agent
    latches: list[Latch]
    doing: Doing
    best: Score | None
    best_experiment: int | None
    experiments: int
    cost: int
    asked: list[Approval]

    @property
    def at_work(self) -> bool:
        """Whether a worker holds it."""
        return self.agent.state in AT_WORK


class Awaited(NamedTuple):
    """An experiment that an agent waits for."""

    state: str
    created_at: datetime
    started_at: datetime | None


class Called(NamedTuple):
    """A tool call in flight."""

    tool: str
    started_at: datetime | None


def cards(agents: Sequence[Agent], found: QuerySet[Any]) -> list[Card]:
    """Needs the agents' `open_latches`; six queries, however many agents.

    found: the same agents as a question: a hundred numbers in each query would take longer than its answer.
    """
    those = found.select_related(None).prefetch_related(None).order_by()
    users, keys = those.values("user"), those.values("pk")
    best = _best(users)
    counts = dict(
        Experiment.objects.filter(submitter__in=users).values_list("submitter").annotate(Count("id")).order_by()
    )
    costs = dict(Step.objects.filter(agent__in=keys).values_list("agent").annotate(Sum("cost")).order_by())
    calls, awaited, asked = _calls(agents, keys), _awaited(agents), _asked(keys)
    return [
        Card(
            agent=each,
            latches=each.open_latches,  # type: ignore[attr-defined]
            doing=doing(each, calls.get(each.pk), awaited, asked.get(each.pk, [])),
            best=dev_score(best[each.user_id]) if each.user_id in best else None,
            best_experiment=best[each.user_id].pk if each.user_id in best else None,
            experiments=counts.get(each.user_id, 0),
            cost=costs.get(each.pk, 0),
            asked=asked.get(each.pk, []),
        )
        for each in agents
    ]


def doing(agent: Agent, call: Called | None, awaited: Mapping[int, Awaited], asked: Sequence[Approval] = ()) -> Doing:
    """One phrase and one clock for an agent's card. awaited: the experiments that agents wait for, by id."""
    since = agent.state_since
    if agent.state == AgentState.THINKING:
        return Doing("thinking", since)
    if agent.state == AgentState.ACTING:
        return Doing(call.tool, call.started_at or since) if call else Doing(agent.doing or "acting", since)
    if agent.state == AgentState.PAUSING:
        return Doing(f"finishing {call.tool if call else 'what is in flight'}", since)
    if agent.state == AgentState.WAITING:
        return _waiting(agent, awaited, asked)
    if agent.state in (AgentState.FINISHED, AgentState.STOPPED):
        return Doing(agent.get_state_display().lower())  # a clock would count for ever
    words = {AgentState.READY.value: "ready for its next step", AgentState.FAILED.value: "needs a person"}
    return Doing(words.get(agent.state, agent.get_state_display().lower()), since)


def _waiting(agent: Agent, awaited: Mapping[int, Awaited], asked: Sequence[Approval]) -> Doing:
    if agent.error and agent.wake_at:
        return Doing("retrying in", until=agent.wake_at)
    known = {key: awaited[key] for key in agent.waits_for if key in awaited}
    more = f", {len(agent.waits_for) - 1} more" if len(agent.waits_for) > 1 else ""
    running = [key for key, each in known.items() if each.state == ExperimentState.RUNNING]
    if running:
        first = min(running)
        return Doing(f"training #{first}{more}", known[first].started_at or agent.state_since, experiment=first)
    queued = [key for key, each in known.items() if each.state == ExperimentState.QUEUED]
    if queued:
        first = min(queued)
        return Doing(f"queued #{first}{more}", known[first].created_at, experiment=first)
    if asked and not agent.waits_for:
        return Doing("waiting for approval", asked[0].requested_at)
    if agent.wake_at and not agent.waits_for:
        return Doing("looks again in", until=agent.wake_at)
    return Doing("waiting", agent.state_since)


def _calls(agents: Sequence[Agent], keys: QuerySet[Any]) -> dict[int, Called]:
    if not any(each.state in (AgentState.ACTING, AgentState.PAUSING) for each in agents):
        return {}
    rows = Action.objects.filter(state=ActionState.RUNNING, step__agent__in=keys)
    return {agent: Called(tool, at) for agent, tool, at in rows.values_list("step__agent", "tool", "started_at")}


def _awaited(agents: Sequence[Agent]) -> dict[int, Awaited]:
    wanted = {key for each in agents if each.state == AgentState.WAITING for key in each.waits_for}
    if not wanted:
        return {}
    rows = Experiment.objects.filter(pk__in=wanted).order_by()
    return {row[0]: Awaited(*row[1:]) for row in rows.values_list("pk", "state", "created_at", "started_at")}


def _asked(keys: QuerySet[Any]) -> dict[int, list[Approval]]:
    found: dict[int, list[Approval]] = {}
    rows = Approval.objects.filter(agent__in=keys, state=ApprovalState.PENDING, told_at=None).order_by("id")
    for row in rows.only("agent_id", "tool", "requested_at"):
        found.setdefault(row.agent_id, []).append(row)
    return found


def _best(users: QuerySet[Any]) -> dict[int, Experiment]:
    """Of each submitter's counted experiments the one with the highest dev PGR."""
    counted: Any = Experiment.objects.filter(
        submitter__in=users, state=ExperimentState.SCORED, standing=Standing.COUNTED, dev_pgr__isnull=False
    )
    first = counted.order_by("submitter_id", "-dev_pgr", "id").distinct("submitter_id").values("pk")
    rows = Experiment.objects.filter(pk__in=first).only("pk", "submitter_id", "dev_pgr", "dev_score").order_by()
    return {row.submitter_id: row for row in rows}
