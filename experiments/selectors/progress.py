"""Rows of the figure of progress: how the best verified score of each submitter rose, and what to compare it with."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import F, Max, Window

from experiments.lifecycle import ExperimentState, MethodClass, Standing
from experiments.models import Baseline, Benchmark, Experiment
from experiments.selectors.api_benchmarks import benchmark_of
from experiments.selectors.scores import dev_score

if TYPE_CHECKING:
    from experiments.permissions import Actor

MOST_SUBMITTERS = 9  # a campaign's usual size; more lines no reader tells apart


@dataclass(frozen=True, slots=True)
class StepRow:
    """A submitter's best dev PGR rose, or a line to compare with (`submitter` then names it, `finished_at` is None)."""

    submitter: str
    finished_at: datetime | None
    pgr: float = field(metadata={"heading": "Best dev PGR"})
    low: float | None
    high: float | None
    seeds: int | None
    items: int | None
    experiment: int | None
    title: str


def best_steps(user: "Actor", benchmark_slug: str, *, campaign: int = 0) -> list[StepRow]:
    """Each rise of each submitter's best counted dev PGR, for the best submitters, after the baselines.

    campaign: only what was submitted in it; 0 for everybody's.
    """
    benchmark = benchmark_of(user, benchmark_slug)
    counted = Experiment.objects.visible_to(user).filter(
        benchmark=benchmark,
        standing=Standing.COUNTED,
        state=ExperimentState.SCORED,
        method_class=MethodClass.WEAK_TO_STRONG,
        dev_pgr__isnull=False,
        **({"campaign": campaign} if campaign else {}),
    )
    best = counted.values("submitter").annotate(best=Max("dev_pgr")).order_by("-best")[:MOST_SUBMITTERS]
    leaders = [row["submitter"] for row in best]
    before = Window(Max("dev_pgr"), partition_by=[F("submitter_id")], order_by=[F("finished_at").asc(), F("id").asc()])
    # two steps, because the window has to be sorted: its rows are kept small
    rising = counted.filter(submitter__in=leaders).annotate(best_so_far=before).filter(dev_pgr=F("best_so_far"))
    rises = (
        Experiment.objects.filter(pk__in=list(rising.order_by().values_list("pk", flat=True)))
        .select_related("submitter")
        .only("id", "title", "state", "seeds", "dev_pgr", "dev_score", "finished_at", "submitter__username")
        .order_by("finished_at", "id")
    )
    return [*_reference_steps(benchmark), *_without_repeats(rises, prefix=f"c{campaign}-" if campaign else "")]


def arm_pgr(lines: Iterable[Baseline], arm: str, split: str = "dev") -> float | None:
    """PGR of a frozen arm on a split, if it, weak and ceiling were measured and there is a gap."""
    means = {line.arm: line.mean for line in lines if line.split == split}
    weak, ceiling, own = (means.get(each) for each in (Baseline.Arm.WEAK, Baseline.Arm.CEILING, arm))
    if weak is None or ceiling is None or own is None or ceiling <= weak:
        return None
    return (own - weak) / (ceiling - weak)


def _reference_steps(benchmark: Benchmark) -> list[StepRow]:
    """The frozen arms between weak and ceiling: the vanilla student, and the control on the weak model's features."""
    lines = list(benchmark.baselines.filter(split="dev"))
    by_arm = {line.arm: line for line in lines}
    rows = []
    for arm, name in ((Baseline.Arm.VANILLA, "vanilla"), (Baseline.Arm.CONTROL, "weak-feature control")):
        pgr = arm_pgr(lines, arm)
        if pgr is not None:
            line = by_arm[arm]
            rows.append(
                StepRow(f"{name} baseline", None, pgr, None, None, len(line.accuracies), line.n_items, None, "")
            )
    return rows


def _without_repeats(rises: Iterable[Experiment], *, prefix: str = "") -> list[StepRow]:
    """Equal scores do not rise: only the first of each submitter's equal ones stays.

    prefix: taken off the names; accounts of a campaign's agents all begin with it.
    """
    best: dict[str, float] = {}
    rows = []
    for each in rises:
        name, score = each.submitter.get_username().removeprefix(prefix), dev_score(each)
        if score is None or score.value is None or score.value <= best.get(name, float("-inf")):
            continue
        best[name] = score.value
        rows.append(
            StepRow(
                name,
                each.finished_at,
                score.value,
                score.low,
                score.high,
                score.n_seeds or each.seeds,
                score.n_items,
                each.pk,
                each.title,
            )
        )
    return rows
