"""How much agents use and how long things take: recorded in this lab where enough is, else assumed, and said which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from django.db.models import Avg, Count, F, Sum

from agents.errors import NoPrice
from agents.lifecycle import AGENT_ENDED
from agents.models import Agent, Price, Step
from agents.prices import cost, price_of
from experiments.lifecycle import ExperimentState
from experiments.models import Benchmark, Experiment

ENOUGH_STEPS, ENOUGH_AGENTS, ENOUGH_EXPERIMENTS = 20, 3, 5  # from so many on a history counts
MOST_READ = 500  # rows of history
KINDS = ("input", "output", "cache_read", "cache_write")


@dataclass(frozen=True, slots=True)
class Range:
    """From a low to a high guess, in one unit."""

    low: float
    high: float

    def times(self, other: "Range | float") -> "Range":
        """Product of two ranges of positive numbers."""
        factor = other if isinstance(other, Range) else Range(other, other)
        return Range(self.low * factor.low, self.high * factor.high)

    def plus(self, other: "Range") -> "Range":
        """Sum."""
        return Range(self.low + other.low, self.high + other.high)

    def cut(self, limit: float | None) -> "Range":
        """Not beyond a limit."""
        return self if limit is None else Range(min(self.low, limit), min(self.high, limit))


# What is assumed where nothing is recorded. Own guesses, wide on purpose.
STEPS = {"claude": Range(20, 120), "search": Range(20, 70), "outside": Range(0, 0)}
EXPERIMENTS = {"claude": Range(8, 40), "search": Range(12, 30), "outside": Range(0, 0)}
TOKENS: Mapping[str, Range] = {
    "input": Range(500, 3_000), "output": Range(600, 3_000),
    "cache_read": Range(10_000, 80_000), "cache_write": Range(1_500, 6_000),
}  # fmt: skip
RUN_SECONDS = {"probe": Range(0.2, 5), "lora": Range(60, 900), "full": Range(120, 1_800)}
THINK_SECONDS = {"claude": Range(10, 60), "search": Range(0.1, 1), "outside": Range(0, 0)}
ZERO = Range(0, 0)


def steps_of(researcher: str, basis: list[str]) -> Range:
    """Of one agent until it ends."""
    ended = Agent.objects.filter(researcher=researcher, state__in=AGENT_ENDED, steps_done__gt=0)
    counts = sorted(ended.order_by("-id").values_list("steps_done", flat=True)[:MOST_READ])
    return _quartiles(counts, STEPS[researcher], f"steps of a {researcher} researcher", basis)


def experiments_of(researcher: str, basis: list[str]) -> Range:
    """Of one agent until it ends."""
    ended = Agent.objects.filter(researcher=researcher, state__in=AGENT_ENDED).order_by("-id")
    users = list(ended.values_list("user", flat=True)[:MOST_READ])
    rows = Experiment.objects.filter(submitter__in=users).values("submitter").annotate(n=Count("id")).order_by()
    counts = sorted(row["n"] for row in rows)
    return _quartiles(counts, EXPERIMENTS[researcher], f"experiments of a {researcher} researcher", basis)


def _quartiles(counts: Sequence[int], assumed: Range, what: str, basis: list[str]) -> Range:
    if assumed.high == 0:
        return assumed
    if len(counts) < ENOUGH_AGENTS:
        basis.append(f"{what}: {assumed.low:.0f} to {assumed.high:.0f}, assumed (too few have ended here)")
        return assumed
    low, _, high = quantiles(counts, n=4, method="inclusive")
    basis.append(f"{what}: {low:.0f} to {high:.0f}, the middle half of {len(counts)} that ended here")
    return Range(low, high)


def tokens_of(model: str, basis: list[str]) -> Mapping[str, Range]:
    """Tokens of one step by kind: recorded means where there are enough steps of that model."""
    done = Step.objects.filter(agent__model=model).exclude(usage={}).order_by("-id")
    usages: list[dict[str, Any]] = list(done.values_list("usage", flat=True)[:MOST_READ])
    if len(usages) < ENOUGH_STEPS:
        total = Range(sum(TOKENS[kind].low for kind in KINDS), sum(TOKENS[kind].high for kind in KINDS))
        basis.append(
            f"tokens of a step of {model}: {total.low:,.0f} to {total.high:,.0f}, most read from cache, assumed"
        )
        return TOKENS
    means = {kind: sum(usage.get(kind, 0) for usage in usages) / len(usages) for kind in KINDS}
    basis.append(f"tokens of a step of {model}: {sum(means.values()):,.0f}, mean of {len(usages)} recorded steps")
    return {kind: Range(mean, mean) for kind, mean in means.items()}


def money_of(model: str, used: Mapping[str, Range], basis: list[str]) -> Range | None:
    """Micro-dollars of one step; None without a price."""
    try:
        price = price_of(model)
    except NoPrice:
        return None
    basis.append(_price_line(price))
    return Range(_step_cost(price, used, "low"), _step_cost(price, used, "high"))


def _step_cost(price: Price, used: Mapping[str, Range], end: str) -> int:
    tokens = {kind: round(getattr(used[kind], end)) for kind in KINDS}
    return cost(
        price,
        input_tokens=tokens["input"],
        output_tokens=tokens["output"],
        cache_read=tokens["cache_read"],
        cache_write=tokens["cache_write"],
    )


def _price_line(price: Price) -> str:
    amounts = ", ".join(
        f"{name} ${getattr(price, column) / 1e6:,.2f}"
        for name, column in (("input", "input"), ("output", "output"), ("cache read", "cache_read"),
                             ("cache write", "cache_write"))
    )  # fmt: skip
    return f"price of {price.model} a million tokens: {amounts} (price table, {price.updated_at:%Y-%m-%d})"


def think_seconds_of(researcher: str, model: str, basis: list[str]) -> Range:
    """From the beginning of a step to its end."""
    took = F("finished_at") - F("started_at")
    done = Step.objects.filter(agent__researcher=researcher, agent__model=model, finished_at__isnull=False).order_by(
        "-id"
    )[:MOST_READ]
    facts = Step.objects.filter(pk__in=list(done.values_list("pk", flat=True))).aggregate(n=Count("id"), mean=Avg(took))
    if facts["n"] < ENOUGH_STEPS:
        return THINK_SECONDS[researcher]
    mean = facts["mean"].total_seconds()
    basis.append(f"a step of {model or researcher} takes {mean:.1f} s, mean of {facts['n']} recorded steps")
    return Range(mean, mean)


def experiment_seconds_of(rows: Sequence[Benchmark], basis: list[str]) -> Range:
    """Worker seconds of one experiment, averaged over the benchmarks."""
    if not rows:
        return ZERO
    total = ZERO
    for row in rows:
        scored = Experiment.objects.filter(benchmark=row, state=ExperimentState.SCORED, worker_seconds__gt=0)
        facts = scored.aggregate(n=Count("id"), seconds=Sum("worker_seconds"), seeds=Sum("seeds"))
        if facts["n"] >= ENOUGH_EXPERIMENTS:
            mean = facts["seconds"] / facts["seeds"]
            basis.append(f"a run on {row.slug} takes {mean:.2g} worker seconds, mean of {facts['seeds']} recorded runs")
            run = Range(mean, mean)
        else:
            run = RUN_SECONDS[row.student]
            basis.append(f"a run on {row.slug} takes {run.low:g} to {run.high:g} worker seconds, assumed")
        total = total.plus(run.times(row.default_seeds))
    return total.times(1 / len(rows))
