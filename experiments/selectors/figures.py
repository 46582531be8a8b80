"""Rows for figures: plain dataclasses, already without what the viewer may not see."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncHour
from django.utils import timezone

from experiments.errors import NotFound
from experiments.lifecycle import ExperimentState, RunState, Standing
from experiments.models import Experiment, Run
from experiments.permissions import can_see_holdout
from experiments.selectors.api_experiments import experiment_of
from experiments.selectors.scores import Score, dev_score, holdout_score

if TYPE_CHECKING:
    from experiments.permissions import Actor

THROUGHPUT_HOURS = 24
_SCORE_COLUMNS = (
    "id", "title", "state", "seeds", "dev_pgr", "dev_score", "holdout_pgr", "holdout_score", "standing", "method_class",
    "method__title", "method__name", "benchmark__slug", "submitter__username", "options", "replicate",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One experiment's score on one split."""

    label: str
    split: str
    pgr: float = field(metadata={"heading": "PGR"})
    low: float | None
    high: float | None
    seeds: int | None
    items: int | None
    method: str
    benchmark: str
    standing: str
    experiment: int


@dataclass(frozen=True, slots=True)
class SeedRow:
    """One seed's PGR; `low` and `high` repeat the experiment's interval."""

    experiment: int
    title: str
    seed_index: int
    state: str
    pgr: float | None = field(metadata={"heading": "Dev PGR"})
    accuracy: float | None
    mean: float | None = field(metadata={"heading": "Mean PGR"})
    low: float | None
    high: float | None
    items: int | None


@dataclass(frozen=True, slots=True)
class CurveRow:
    """One point of what training reported."""

    experiment: int
    seed_index: int
    curve: str
    x_label: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class HourRow:
    """Runs that ended within one hour."""

    hour: datetime
    scored: int
    failed: int
    cancelled: int


def score_rows(user: "Actor", experiments: Iterable[Experiment], *, label: str = "title") -> list[ScoreRow]:
    """Dev rows, and holdout rows for whoever may see them.

    label: "title", "method" or "benchmark": what names the line.
    """
    holdout = can_see_holdout(user)
    rows = []
    for each in experiments:
        name = {"title": f"#{each.pk} {each.title}", "method": each.method.title, "benchmark": each.benchmark.slug}[
            label
        ]
        rows += _score_row(each, name, "dev", dev_score(each))
        rows += _score_row(each, name, "holdout", holdout_score(each)) if holdout else []
    return rows


def chosen_experiments(user: "Actor", ids: Sequence[int]) -> list[Experiment]:
    """The experiments with these ids, in this order; unknown ones are left out."""
    found = Experiment.objects.visible_to(user).select_related("benchmark", "method", "submitter").in_bulk(ids)
    return [found[each] for each in dict.fromkeys(ids) if each in found]


def best_per(experiments: QuerySet[Experiment], column: str) -> list[Experiment]:
    """The best counted dev PGR for each value of a column ("method", "benchmark"), best first."""
    best = (
        experiments.filter(
            standing__in=[Standing.COUNTED, Standing.POLICY_GRAY], state=ExperimentState.SCORED, dev_pgr__isnull=False
        )
        .order_by(f"{column}_id", "-dev_pgr", "id")  # the id: a bare name would sort by the other row
        .distinct(f"{column}_id")
        .values("pk")
    )
    chosen = Experiment.objects.filter(pk__in=best).select_related("method", "benchmark", "submitter")
    return list(chosen.only(*_SCORE_COLUMNS).order_by("-dev_pgr", "id"))


def seed_rows(user: "Actor", ids: Sequence[int]) -> list[SeedRow]:
    """Every run of the experiments, seed by seed. Raises: NotFound when none of them is visible."""
    experiments = chosen_experiments(user, ids)
    if not experiments:
        raise NotFound("no such experiment")
    runs = Run.objects.filter(experiment__in=experiments).only(
        "experiment_id", "seed_index", "state", "dev_pgr", "dev_accuracy"
    )
    by_experiment: dict[int, list[Run]] = {each.pk: [] for each in experiments}
    for run in runs.order_by("seed_index"):
        by_experiment[run.experiment_id].append(run)
    return [_seed_row(each, run, dev_score(each)) for each in experiments for run in by_experiment[each.pk]]


def curve_rows(user: "Actor", experiment_id: int) -> list[CurveRow]:
    """What the runs of one experiment reported while they trained. Raises: NotFound."""
    experiment = experiment_of(user, experiment_id)
    runs = experiment.runs.exclude(curves=[]).only("experiment_id", "seed_index", "curves").order_by("seed_index")
    return [
        CurveRow(experiment_id, run.seed_index, curve["name"], curve.get("x_label", "step"), float(x), float(y))
        for run in runs
        for curve in run.curves
        for x, y in zip(curve["x"], curve["y"], strict=True)
    ]


def hour_rows(hours: int = THROUGHPUT_HOURS) -> list[HourRow]:
    """Runs ended per hour, every hour present, oldest first; nothing if none ended."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    since = now - timedelta(hours=hours - 1)
    ended = (
        Run.objects.filter(finished_at__gte=since)
        .values(hour=TruncHour("finished_at"))
        .annotate(
            scored=Count("id", filter=Q(state=RunState.SCORED)),
            failed=Count("id", filter=Q(state=RunState.FAILED)),
            cancelled=Count("id", filter=Q(state=RunState.CANCELLED)),
        )
        .order_by("hour")
    )
    counts: dict[datetime, dict[str, Any]] = {row["hour"]: dict(row) for row in ended}
    if not counts:
        return []
    empty = {"scored": 0, "failed": 0, "cancelled": 0}
    every = [since + timedelta(hours=index) for index in range(hours)]
    return [HourRow(hour, **{key: counts.get(hour, empty)[key] for key in empty}) for hour in every]


def _score_row(experiment: Experiment, label: str, split: str, score: Score | None) -> list[ScoreRow]:
    if score is None or score.value is None:
        return []
    return [
        ScoreRow(
            label,
            split,
            score.value,
            score.low,
            score.high,
            score.n_seeds or experiment.seeds,
            score.n_items,
            experiment.method.name,
            experiment.benchmark.slug,
            experiment.standing,
            experiment.pk,
        )
    ]


def _seed_row(experiment: Experiment, run: Run, score: Score | None) -> SeedRow:
    return SeedRow(
        experiment=experiment.pk,
        title=experiment.title,
        seed_index=run.seed_index,
        state=run.state,
        pgr=run.dev_pgr,
        accuracy=run.dev_accuracy,
        mean=score.value if score else None,
        low=score.low if score else None,
        high=score.high if score else None,
        items=score.n_items if score else None,
    )
