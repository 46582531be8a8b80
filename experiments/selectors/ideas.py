"""What was tried: how diverse it stays, and what each method gave, dead ends included. Of the newest 10,000."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from django.db.models import Count, F, Max, Q, QuerySet, Sum, Value
from django.db.models.functions import Left

from experiments import ideas
from experiments.lifecycle import EXPERIMENT_TERMINAL, ExperimentState, Standing
from experiments.models import Experiment
from experiments.selectors.scores import dev_score

if TYPE_CHECKING:
    from experiments.permissions import Actor

MOST = 10_000  # newest experiments that are looked at
WINDOW = 20  # ideas compared with each other
MOST_POINTS = 150  # of the figure
MOST_GROUPS = 200  # lines of the table
CACHE_SECONDS = 3600
_COUNTED = Q(state=ExperimentState.SCORED, standing__in=[Standing.COUNTED, Standing.POLICY_GRAY])
_AT_OR_BELOW = _COUNTED & Q(dev_pgr__lte=0)  # the weak teacher is PGR 0
_BEATS_VANILLA = Q(dev_score__vanilla__low__gt=0)


@dataclass(frozen=True, slots=True)
class DiversityRow:
    """The last ideas up to one experiment, and how far apart they are."""

    experiment: int
    submitted_at: datetime
    diversity: float
    low: float | None
    high: float | None
    ideas: int = field(metadata={"heading": "Ideas compared"})
    submitters: int


@dataclass(frozen=True, slots=True)
class TriedRow:
    """One method, or one piece of code, on one benchmark: how often it was tried and the best it gave."""

    method: str
    benchmark: str
    outcome: str
    tried: int
    scored: int
    failed: int
    below: int = field(metadata={"heading": "At or below the teacher"})
    submitters: int
    best: float | None = field(metadata={"heading": "Best dev PGR"})
    low: float | None
    high: float | None
    seeds: int | None
    items: int | None
    experiment: int | None
    last_tried: datetime


@dataclass(frozen=True, slots=True)
class DeadEnds:
    """How many experiments there were, and how many of them gave nothing. below: scored at or below the teacher."""

    experiments: int
    failed: int
    below: int


def idea_text(title: str, hypothesis: str) -> str:
    """What an experiment's idea is read from: its hypothesis, or its title where there is none."""
    return hypothesis.strip() or title


def tried_experiments(user: "Actor", campaign: int) -> QuerySet[Any]:
    """Experiments of a campaign; 0: of everybody. Reruns repeat on purpose and are no ideas."""
    rows = Experiment.objects.visible_to(user)
    return rows.filter(campaign=campaign) if campaign else rows


def diversity_rows(user: "Actor", campaign: int) -> list[DiversityRow]:
    """A point every few experiments: the diversity of the last WINDOW ideas, from the third idea on."""
    rows = tried_experiments(user, campaign).filter(rerun_of__isnull=True)
    latest = rows.aggregate(last=Max("pk"), count=Count("pk"))
    key = f"ideas-diversity:{campaign}:{latest['last']}:{latest['count']}"
    found: list[DiversityRow] | None = cache.get(key)
    if found is None:
        found = _diversity(_ideas(rows))
        cache.set(key, found, CACHE_SECONDS)
    return found


def tried_rows(user: "Actor", campaign: int) -> list[TriedRow]:
    """What was tried, the best first, dead ends at the end; kept until something ends or is judged."""
    rows = tried_experiments(user, campaign)
    ended = Q(state__in=EXPERIMENT_TERMINAL)
    known = rows.aggregate(
        Max("pk"), Count("pk"), ended=Count("pk", filter=ended), counted=Count("pk", filter=_COUNTED),
        sum=Sum("dev_pgr", filter=_COUNTED), which=Sum("pk", filter=_COUNTED),
    )  # fmt: skip
    key = "ideas-tried-below:" + sha256(f"{campaign}:{sorted(known.items())}".encode()).hexdigest()
    found: list[TriedRow] | None = cache.get(key)
    if found is None:
        found = _tried_rows(rows)
        cache.set(key, found, CACHE_SECONDS)
    return found


def dead_ends(user: "Actor", campaign: int) -> DeadEnds:
    """Of all experiments, also of those that no line of the table has room for."""
    found = tried_experiments(user, campaign).aggregate(
        experiments=Count("pk"),
        failed=Count("pk", filter=Q(state=ExperimentState.FAILED)),
        below=Count("pk", filter=_AT_OR_BELOW),
    )
    return DeadEnds(**found)


def _tried_rows(rows: QuerySet[Any]) -> list[TriedRow]:
    newest = rows.order_by("-pk").values_list("pk", flat=True)[MOST : MOST + 1].first()
    rows = rows.filter(pk__gt=newest) if newest else rows
    groups = (
        rows.order_by()
        .values("method", "method__title", "benchmark", "benchmark__slug", "snapshot", "snapshot__digest")
        .annotate(
            tried=Count("pk"),
            scored=Count("pk", filter=Q(state=ExperimentState.SCORED)),
            failed=Count("pk", filter=Q(state=ExperimentState.FAILED)),
            below=Count("pk", filter=_AT_OR_BELOW),
            open=Count("pk", filter=~Q(state__in=EXPERIMENT_TERMINAL)),
            good=Count("pk", filter=_COUNTED & _BEATS_VANILLA),
            submitters=Count("submitter", distinct=True),
            best_pgr=Max("dev_pgr", filter=_COUNTED),
            last_tried=Max("created_at"),
        )
        .order_by(F("best_pgr").desc(nulls_last=True), "-last_tried")[:MOST_GROUPS]
    )
    found = list(groups)
    best = _best_of(rows.filter(_COUNTED), found)
    return [_tried(group, best.get(_group_key(group))) for group in found]


def _ideas(rows: QuerySet[Any]) -> list[dict[str, Any]]:
    newest = rows.order_by("-pk").values("pk", "created_at", "submitter", "title")
    shortened = newest.annotate(said=Left("hypothesis", Value(ideas.LONGEST)))[:MOST]
    return list(reversed(shortened))


def _diversity(found: Sequence[dict[str, Any]]) -> list[DiversityRow]:
    vectors = ideas.vectors([idea_text(each["title"], each["said"]) for each in found])
    every = max(1, -(-len(found) // MOST_POINTS))
    points = []
    for end in reversed(range(len(found), 2, -every)):
        start = max(0, end - WINDOW)
        measured = ideas.diversity(vectors[start:end])
        if measured is not None:
            last = found[end - 1]
            submitters = len({each["submitter"] for each in found[start:end]})
            points.append(
                DiversityRow(
                    last["pk"], last["created_at"], measured.value, measured.low, measured.high, measured.n, submitters
                )
            )
    return points


def _group_key(group: dict[str, Any]) -> tuple[Any, ...]:
    return group["method"], group["benchmark"], group["snapshot"]


def _best_of(rows: QuerySet[Any], groups: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], Experiment]:
    """The best experiment of each group."""
    wanted = [each["best_pgr"] for each in groups if each["best_pgr"] is not None]
    chosen = rows.filter(dev_pgr__in=wanted).order_by("method_id", "benchmark_id", "snapshot_id", "-dev_pgr", "pk")
    chosen = chosen.distinct("method_id", "benchmark_id", "snapshot_id").only(
        "pk", "method", "benchmark", "snapshot", "dev_pgr", "dev_score", "seeds", "state"
    )
    return {(each.method_id, each.benchmark_id, each.snapshot_id): each for each in chosen}


def _tried(group: dict[str, Any], best: Experiment | None) -> TriedRow:
    score = dev_score(best) if best else None
    name = group["method__title"]
    if group["snapshot__digest"]:
        name = f"{name} {group['snapshot__digest'][:8]}"
    return TriedRow(
        method=name,
        benchmark=group["benchmark__slug"],
        outcome=_outcome(group),
        tried=group["tried"],
        scored=group["scored"],
        failed=group["failed"],
        below=group["below"],
        submitters=group["submitters"],
        best=score.value if score else None,
        low=score.low if score else None,
        high=score.high if score else None,
        seeds=(score.n_seeds if score else None) or (best.seeds if best else None),
        items=score.n_items if score else None,
        experiment=best.pk if best else None,
        last_tried=group["last_tried"],
    )


def _outcome(group: dict[str, Any]) -> str:
    """Beats vanilla: an interval of the paired difference lies above zero. A dead end has ended and never did."""
    if group["good"]:
        return "beats vanilla"
    return "open" if group["open"] else "dead end"
