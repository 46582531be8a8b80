"""What a campaign will take before it starts: money, tokens, worker time and hours, as ranges that say their basis.

Where the lab has a history, from it: tokens a step, steps and experiments an agent, worker seconds a run. Where it has
none, from assumptions (rates.py), which are said with the estimate. A limit cuts a range: nothing spends beyond it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from agents.access import why_no_claude
from agents.errors import NoPrice
from agents.lifecycle import BudgetKind
from agents.models import Campaign
from agents.prices import price_of
from agents.selectors import rates
from agents.selectors.rates import ZERO, Range
from agents.services.budgets import amount_text
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark
from experiments.selectors.workers_page import workers
from experiments.templatetags.lab import duration

SIDE_BY_SIDE = 16  # agents that think at once: the threads of worker-agents


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps it from starting, with a pointer to the field."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """money: micro-dollars, None where the model has no price. seconds: from start to end, deadline and limits counted.

    basis: a sentence for each number it rests on. limits: what cuts it. problems: what keeps it from starting.
    """

    agents: int
    money: Range | None
    tokens: Range
    gpu_seconds: Range
    experiments: Range
    seconds: Range
    most_money: int | None
    basis: list[str]
    limits: list[str]
    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class Asked:
    """Agents of one kind: how many, by which researcher, with which model."""

    researcher: str
    model: str
    count: int


def estimate(
    *, benchmarks: Sequence[str], agents: Sequence[Asked], budgets: Mapping[str, int], deadline: datetime | None = None
) -> Estimate:
    """benchmarks: slugs. budgets: limits of the whole campaign, by kind, in the units of `Budget`."""
    rows = list(Benchmark.objects.filter(slug__in=benchmarks))
    basis: list[str] = []
    limits: list[str] = []
    problems = _problems(rows, benchmarks, agents, budgets)
    money: Range | None = ZERO
    tokens, experiments, thinking = ZERO, ZERO, ZERO
    for each in agents:
        steps = rates.steps_of(each.researcher, basis)
        experiments = experiments.plus(rates.experiments_of(each.researcher, basis).times(each.count))
        own_time = steps.times(rates.think_seconds_of(each.researcher, each.model, basis)).times(
            -(-each.count // SIDE_BY_SIDE)
        )
        thinking = Range(max(thinking.low, own_time.low), max(thinking.high, own_time.high))
        if each.researcher == "claude":
            used = rates.tokens_of(each.model, basis)
            per_step = Range(sum(used[kind].low for kind in rates.KINDS), sum(used[kind].high for kind in rates.KINDS))
            tokens = tokens.plus(steps.times(per_step).times(each.count))
            own = rates.money_of(each.model, used, basis)
            money = None if own is None or money is None else money.plus(steps.times(own).times(each.count))
    gpu = experiments.times(rates.experiment_seconds_of(rows, basis))
    most = budgets.get(BudgetKind.MONEY.value)
    if money is not None and most is not None and money.high > most:
        limits.append("The money budget ends it before the high guess: agents are held then; a person may add more.")
    tokens, gpu = tokens.cut(budgets.get(BudgetKind.TOKENS.value)), gpu.cut(budgets.get(BudgetKind.GPU_SECONDS.value))
    seconds = _duration(thinking, gpu, basis)
    if deadline is not None:
        left = max((deadline - timezone.now()).total_seconds(), 0)
        if left < seconds.high:
            limits.append("The deadline ends it before the high guess.")
        seconds = seconds.cut(left)
    return Estimate(
        agents=sum(each.count for each in agents),
        money=money.cut(most) if money is not None else None,
        tokens=tokens,
        gpu_seconds=gpu,
        experiments=experiments,
        seconds=seconds,
        most_money=most,
        basis=list(dict.fromkeys(basis)),
        limits=limits,
        problems=problems,
    )


class EstimateLine(NamedTuple):
    """One range in words."""

    label: str
    text: str


def estimate_lines(found: Estimate) -> list[EstimateLine]:
    """For pages and terminals: every range with its unit."""
    lines = []
    if found.money is None:
        lines.append(EstimateLine("Money", "cannot be said without a price"))
    elif found.money.high:
        bound = f", never more than {_dollars(found.most_money)}" if found.most_money is not None else ""
        lines.append(EstimateLine("Money", f"{_dollars(found.money.low)} to {_dollars(found.money.high)}{bound}"))
        lines.append(EstimateLine("Tokens", f"{found.tokens.low / 1e6:,.1f} to {found.tokens.high / 1e6:,.1f} million"))
    else:
        lines.append(EstimateLine("Money", "none: no language model takes part"))
    return [
        *lines,
        EstimateLine("Experiments", f"{found.experiments.low:,.0f} to {found.experiments.high:,.0f}"),
        EstimateLine("Worker time", f"{duration(found.gpu_seconds.low)} to {duration(found.gpu_seconds.high)}"),
        EstimateLine("Ends after", f"{duration(found.seconds.low)} to {duration(found.seconds.high)}"),
    ]


def _dollars(micro: float) -> str:
    return amount_text(BudgetKind.MONEY, round(micro))


def estimate_of(campaign: Campaign) -> Estimate:
    """Of a campaign that has been made."""
    agents = list(campaign.agents.all())
    limits = [(row.agent_id, row.kind, row.limit) for row in campaign.budgets.all()]
    own = [{kind: limit for agent, kind, limit in limits if agent == each.pk} for each in agents]
    return estimate(
        benchmarks=campaign.benchmark_slugs,
        agents=grouped((each.researcher, each.model) for each in agents),
        budgets=bounds({kind: limit for agent, kind, limit in limits if agent is None}, own),
        deadline=campaign.deadline,
    )


def grouped(agents: Iterable[tuple[str, str]]) -> list[Asked]:
    """Agents by researcher and model."""
    return [Asked(researcher, model, count) for (researcher, model), count in Counter(agents).items()]


def bounds(campaign: Mapping[str, int], agents: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """What bounds a whole campaign: its own limits, else the sum of its agents' where each has one."""
    found = dict(campaign)
    for kind in BudgetKind.values:
        if agents and all(kind in each for each in agents):
            together = sum(each[kind] for each in agents)
            found[kind] = min(found.get(kind, together), together)
    return found


def _problems(
    rows: Sequence[Benchmark], slugs: Sequence[str], agents: Sequence[Asked], budgets: Mapping[str, int]
) -> list[Problem]:
    found = []
    ready = {row.slug for row in rows if row.state == BenchmarkState.READY}
    for index, slug in enumerate(slugs):
        if slug not in ready:
            found.append(Problem(f"#/benchmarks/{index}", f"{slug} is not ready: agents would wait for it"))
    claude = [each for each in agents if each.researcher == "claude"]
    if claude and (why := why_no_claude()):
        found.append(Problem("#/agents", why))
    for each in claude:
        if not each.model:
            found.append(Problem("#/agents", "a Claude researcher needs the name of a model"))
            continue
        try:
            price_of(each.model)
        except NoPrice as error:
            found.append(Problem("#/agents", str(error)))
    if claude and BudgetKind.MONEY.value not in budgets:
        found.append(Problem("#/budget/money", "without a money budget nothing bounds what it costs"))
    return found


def _duration(thinking: Range, gpu: Range, basis: list[str]) -> Range:
    """Thinking and training overlap at best, and follow each other at worst."""
    alive = sum("gpu" in each.seen.queues for each in workers() if each.alive)
    basis.append(f"{alive} gpu worker{'' if alive == 1 else 's'} alive now, shared with whatever else the lab runs")
    training = gpu.times(1 / max(alive, 1))
    return Range(max(thinking.low, training.low), thinking.high + training.high)
