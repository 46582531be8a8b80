"""The experiments table: filtered, searched, sorted, a page at a time."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib.postgres.search import SearchQuery
from django.db.models import Count, Q, QuerySet

from experiments.lifecycle import RUN_TERMINAL
from experiments.looks import MOVING
from experiments.models import Experiment, Run
from experiments.permissions import can_see_holdout
from experiments.selectors.keyset import window
from experiments.selectors.scores import Score, dev_score, holdout_score

if TYPE_CHECKING:
    from experiments.permissions import Actor

PAGE_SIZE = 50
COUNT_LIMIT = 1000  # beyond it the page says "1000+": counting on would read the whole table
ORDERS = {
    "-id": "Newest first",
    "id": "Oldest first",
    "-dev_pgr": "Dev PGR, best first",
    "dev_pgr": "Dev PGR, worst first",
    "-worker_seconds": "Worker time, longest first",
}
HOLDOUT_ORDERS = {"-holdout_pgr": "Holdout PGR, best first"}
_HEAVY = ("hypothesis", "provenance", "error", "search", "method_digest", "options")


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """One line of the table; `holdout` is None for whoever may not see it."""

    experiment: Experiment
    dev: Score | None
    holdout: Score | None
    runs_done: int
    moving: bool
    sees_holdout: bool


@dataclass(frozen=True, slots=True)
class TablePage:
    """Rows with the query strings of the neighbouring pages."""

    rows: list[ExperimentRow]
    next: str | None
    previous: str | None
    first: str | None
    total: int
    more_than_total: bool
    sees_holdout: bool


def experiment_page(user: "Actor", filters: Mapping[str, str], *, cursor: str = "", size: int = PAGE_SIZE) -> TablePage:
    """One page of what the filters let through.

    filters: cleaned values of benchmark (slug), method (name), submitter (username), state, standing, class,
    search and order; empty or missing ones do not filter.
    """
    found = matching(user, filters)
    order = filters.get("order") or "-id"
    rows = window(
        found.select_related("benchmark", "method", "submitter").defer(*_HEAVY), order=order, cursor=cursor, size=size
    )
    counted = found.order_by()[: COUNT_LIMIT + 1].count()
    kept = {key: value for key, value in filters.items() if value}
    return TablePage(
        rows=as_rows(user, rows.rows),
        next=rows.following and urlencode({**kept, "cursor": rows.following}),
        previous=rows.preceding and urlencode({**kept, "cursor": rows.preceding}),
        first=(urlencode(kept) or "cursor=") if cursor else None,
        total=min(counted, COUNT_LIMIT),
        more_than_total=counted > COUNT_LIMIT,
        sees_holdout=can_see_holdout(user),
    )


def matching(user: "Actor", filters: Mapping[str, str]) -> QuerySet[Experiment]:
    """Experiments that the filters let through, unordered."""
    columns = {
        "benchmark": "benchmark__slug",
        "method": "method__name",
        "submitter": "submitter__username",
        "state": "state",
        "standing": "standing",
        "class": "method_class",
    }
    exact = {column: filters[name] for name, column in columns.items() if filters.get(name)}
    found: QuerySet[Experiment] = Experiment.objects.visible_to(user).filter(**exact)
    text = filters.get("search", "").strip()
    if not text:
        return found
    words = Q(search=SearchQuery(text, config="english", search_type="websearch"))
    number = text.removeprefix("#")
    # ten digits or more is no id of ours and would not fit the column's type
    return found.filter(words | Q(pk=int(number)) if number.isdecimal() and len(number) < 10 else words)


def as_rows(user: "Actor", experiments: list[Experiment]) -> list[ExperimentRow]:
    """Scores read, runs of the unfinished counted in one query, holdout left out where it is not allowed."""
    holdout = can_see_holdout(user)
    done = _runs_done([each.pk for each in experiments if each.state in MOVING])
    return [
        ExperimentRow(
            experiment=each,
            dev=dev_score(each),
            holdout=holdout_score(each) if holdout else None,
            runs_done=done[each.pk],
            moving=each.state in MOVING,
            sees_holdout=holdout,
        )
        for each in experiments
    ]


def export_rows(user: "Actor", filters: Mapping[str, str]) -> Iterator[list[Any]]:
    """Every matching experiment as a CSV line, header first, read in chunks."""
    holdout = can_see_holdout(user)
    yield [*_EXPORT, *(_EXPORT_HOLDOUT if holdout else [])]
    found = matching(user, filters).select_related("benchmark", "method", "submitter").order_by("-id")
    for each in found.defer("provenance", "search").iterator(chunk_size=1000):
        yield [
            *_cells(each, dev_score(each), each.dev_accuracy, _EXPORT_FACTS),
            *(_cells(each, holdout_score(each), each.holdout_accuracy, []) if holdout else []),
        ]


_EXPORT_FACTS = [
    "id", "title", "benchmark", "method", "method_class", "submitter", "state", "standing", "seeds", "replicate",
    "created_at", "finished_at", "worker_seconds",
]  # fmt: skip
_EXPORT = [*_EXPORT_FACTS, "dev_accuracy", "dev_pgr", "dev_low", "dev_high", "dev_se", "dev_n_items"]
_EXPORT_HOLDOUT = ["holdout_accuracy", "holdout_pgr", "holdout_low", "holdout_high", "holdout_se", "holdout_n_items"]


def _cells(experiment: Experiment, score: Score | None, accuracy: float | None, facts: list[str]) -> list[Any]:
    numbers = [accuracy] + ([score.value, score.low, score.high, score.se, score.n_items] if score else [None] * 5)
    return [_plain(getattr(experiment, name)) for name in facts] + ["" if n is None else n for n in numbers]


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    text = value.isoformat() if hasattr(value, "isoformat") else value
    # a cell that starts like a formula is run by spreadsheets; titles come from agents
    return (
        f"'{text}"
        if isinstance(text, str) and text[:1] in "=+-@\t\r" and text
        else text
        if isinstance(text, int | float | str)
        else str(text)
    )


def _runs_done(ids: list[int]) -> Counter[int]:
    if not ids:
        return Counter()
    ended = Run.objects.filter(experiment_id__in=ids, state__in=RUN_TERMINAL)
    return Counter(dict(ended.values_list("experiment_id").annotate(Count("id")).order_by()))
