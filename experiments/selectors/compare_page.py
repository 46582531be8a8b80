"""Experiments side by side: options, scores, and differences over shared runs."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from experiments.models import Experiment, Run
from experiments.selectors.experiment_page import option_lines
from experiments.selectors.experiment_table import ExperimentRow, as_rows
from experiments.selectors.figures import chosen_experiments
from metrics import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.permissions import Actor

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class CompareCell:
    """One value of a line."""

    value: Any
    differs: bool


@dataclass(frozen=True, slots=True)
class CompareLine:
    """One fact or option of every chosen experiment, in their order."""

    name: str
    values: list[Any]

    @property
    def cells(self) -> list[CompareCell]:
        """Each value, and whether it differs from the first."""
        return [CompareCell(value, value != self.values[0]) for value in self.values]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean of first − second over the runs both have, paired by run index: run j learns from the same teacher.

    The interval is a t interval over runs: it holds seed noise, and not the choice of test items.
    """

    first: Experiment
    second: Experiment
    value: float
    low: float
    high: float
    runs: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class ComparePage:
    """What the page shows; `pairs` only for experiments on the same benchmark."""

    rows: list[ExperimentRow]
    facts: list[CompareLine]
    options: list[CompareLine]
    pairs: list[PairedDifference]
    one_benchmark: bool


def compare_page_of(user: "Actor", ids: "Sequence[int]") -> ComparePage:
    """The chosen experiments in their order; unknown ids are left out."""
    chosen = chosen_experiments(user, ids)
    return ComparePage(
        rows=as_rows(user, chosen),
        facts=_facts(chosen),
        options=_options(chosen),
        pairs=_pairs(chosen),
        one_benchmark=len({each.benchmark_id for each in chosen}) == 1,
    )


def _facts(chosen: list[Experiment]) -> list[CompareLine]:
    readers: dict[str, Callable[[Experiment], Any]] = {
        "Benchmark": lambda each: each.benchmark.slug,
        "Method": lambda each: each.method.name,
        "Submitter": lambda each: each.submitter.get_username(),
        "Seeds": lambda each: each.seeds,
        "Replicate": lambda each: each.replicate,
        "Method digest": lambda each: each.method_digest[:12],
    }
    return [CompareLine(name, [read(each) for each in chosen]) for name, read in readers.items()]


def _options(chosen: list[Experiment]) -> list[CompareLine]:
    per_experiment = [{line.name: line.value for line in option_lines(each)} for each in chosen]
    names = sorted({name for options in per_experiment for name in options})
    return [CompareLine(name, [options.get(name) for options in per_experiment]) for name in names]


def _pairs(chosen: list[Experiment]) -> list[PairedDifference]:
    scored: dict[int, dict[int, float]] = {each.pk: {} for each in chosen}
    for run in Run.objects.filter(experiment__in=chosen, dev_pgr__isnull=False).only(
        "experiment_id", "seed_index", "dev_pgr"
    ):
        scored[run.experiment_id][run.seed_index] = float(run.dev_pgr or 0.0)
    pairs = [
        paired_difference(first, second, scored[first.pk], scored[second.pk])
        for first, second in combinations(chosen, 2)
        if first.benchmark_id == second.benchmark_id
    ]
    return [pair for pair in pairs if pair is not None]


def paired_difference(
    first: Experiment, second: Experiment, ours: dict[int, float], theirs: dict[int, float]
) -> PairedDifference | None:
    """Over runs that both have; None with fewer than two of them.

    ours, theirs: run index -> PGR.
    """
    gains = [ours[index] - theirs[index] for index in sorted(ours.keys() & theirs.keys())]
    n = len(gains)
    if n < 2:
        return None
    mean = sum(gains) / n
    se = math.sqrt(sum((gain - mean) ** 2 for gain in gains) / (n - 1) / n)
    half = t_quantile(n - 1, LEVEL) * se
    return PairedDifference(first, second, mean, mean - half, mean + half, n)
