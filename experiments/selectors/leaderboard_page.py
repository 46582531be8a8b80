"""The leaderboard: who is best on a benchmark, within a class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db.models import QuerySet, Subquery

from experiments.indexes import best_first
from experiments.lifecycle import RANKED, ExperimentState, MethodClass
from experiments.models import Benchmark, Experiment, ReferenceResult
from experiments.permissions import can_see_holdout
from experiments.selectors.keyset import window
from experiments.selectors.scores import Score, dev_score, holdout_score, vanilla_difference
from experiments.transfer.selectors import TransferNote, notes_on

if TYPE_CHECKING:
    from experiments.permissions import Actor

PAGE_SIZE = 25
_HEAVY = ("hypothesis", "provenance", "error", "search", "method_digest", "options")


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One experiment on the board; rank is None for what does not count."""

    rank: int | None
    experiment: Experiment
    dev: Score | None
    holdout: Score | None
    gap: float | None
    vanilla: Score | None
    transfer: TransferNote | None


@dataclass(frozen=True, slots=True)
class BoardPage:
    """A page of the board, with the query strings of its neighbours."""

    rows: list[BoardRow]
    next: str | None
    previous: str | None
    first: str | None
    sees_holdout: bool
    total: int | None = None


def board_experiments(user: "Actor", benchmark: str, method_class: str, *, standing: str) -> QuerySet[Experiment]:
    """Scored experiments of a class on a benchmark, best dev PGR first, no value last.

    standing: "all", or "" for what is ranked.
    """
    found: QuerySet[Experiment] = Experiment.objects.visible_to(user).filter(
        benchmark=Subquery(Benchmark.objects.filter(slug=benchmark).values("pk")[:1]),
        method_class=method_class,
        state=ExperimentState.SCORED,
    )
    found = found if standing == "all" else found.filter(standing__in=RANKED)
    return found.select_related("benchmark", "method", "submitter").defer(*_HEAVY).order_by(*best_first("dev_pgr"))


def board_page(user: "Actor", benchmark: str, method_class: str, *, standing: str = "", cursor: str = "") -> BoardPage:
    """One page of the board."""
    found = board_experiments(user, benchmark, method_class, standing=standing)
    rows = window(found, order="-dev_pgr", cursor=cursor, size=PAGE_SIZE)
    kept = {"benchmark": benchmark, "class": method_class, **({"standing": standing} if standing else {})}
    holdout = can_see_holdout(user)
    notes = notes_on(user, [each.pk for each in rows.rows])
    return BoardPage(
        rows=_ranked(rows.rows, _better_than(found, rows.rows, cursor), notes, holdout=holdout),
        next=rows.following and urlencode({**kept, "cursor": rows.following}),
        previous=rows.preceding and urlencode({**kept, "cursor": rows.preceding}),
        first=urlencode(kept) if cursor else None,
        sees_holdout=holdout,
    )


def reference_rows(benchmark: Benchmark) -> list[ReferenceResult]:
    """Published figures, best first; the doubtful stay among them and say so."""
    return list(benchmark.reference_results.order_by("-pgr_mean"))


def _better_than(found: QuerySet[Experiment], rows: list[Experiment], cursor: str) -> int:
    """How many ranked ones stand above this page."""
    if not cursor or not rows or rows[0].dev_pgr is None:
        return 0
    return found.filter(standing__in=RANKED, dev_pgr__gt=rows[0].dev_pgr).order_by().count()


def _ranked(
    experiments: list[Experiment], above: int, notes: Mapping[int, TransferNote], *, holdout: bool
) -> list[BoardRow]:
    rows, rank = [], above
    for each in experiments:
        counts = each.standing in RANKED and each.dev_pgr is not None
        rank += counts
        rows.append(_row(each, rank if counts else None, notes.get(each.pk), holdout=holdout))
    return rows


def _row(experiment: Experiment, rank: int | None, note: TransferNote | None, *, holdout: bool) -> BoardRow:
    return BoardRow(
        rank=rank,
        experiment=experiment,
        dev=dev_score(experiment),
        holdout=holdout_score(experiment) if holdout else None,
        gap=_gap(experiment.dev_pgr, experiment.holdout_pgr) if holdout else None,
        vanilla=vanilla_difference(experiment.dev_score),
        transfer=note,
    )


def _gap(dev: float | None, holdout: float | None) -> float | None:
    return None if dev is None or holdout is None else dev - holdout


CLASSES = [
    MethodClass.WEAK_TO_STRONG,
    MethodClass.POLICY_GRAY,
    MethodClass.REFERENCE,
]
