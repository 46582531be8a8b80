"""Reads of transfer studies: verdicts, the headline over all cells, and the map of methods × benchmarks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db.models import Case, Max, Prefetch, QuerySet, SmallIntegerField, When

from experiments.errors import Forbidden, LabError, NotFound
from experiments.lifecycle import RANKED, StudyState, Verdict
from experiments.models import Benchmark, Experiment
from experiments.permissions import can_see_studies
from experiments.selectors.keyset import window
from experiments.transfer.models import TransferCell, TransferStudy
from experiments.transfer.numbers import Numbers, read_numbers
from experiments.transfer.plans import check_source, detects_from
from experiments.transfer.summary import Headline, adjusted, headline, pooled
from transferstats.pooling import Pooled

if TYPE_CHECKING:
    from experiments.permissions import Actor

PAGE_SIZE = 20
MOST_METHODS = 40  # on the map
# what lists show of rows whose other columns, JSON and search vectors, cost more to read than all of this
_OF_CELLS = (
    "study", "verdict", "numbers", "error", "judged_at", "benchmark__slug", "benchmark__title", "experiment__state",
    "experiment__standing",
)  # fmt: skip
_OF_MAP = (
    "verdict", "numbers", "error", "benchmark__slug", "study__theta_min", "study__confirmatory",
    "study__experiment__method_digest", "study__experiment__method__title", "study__experiment__benchmark__slug",
    "study__experiment__title", "study__experiment__snapshot",
)  # fmt: skip
_HEAVY = (
    "experiment__provenance", "experiment__search", "experiment__hypothesis", "experiment__benchmark__provenance",
    "experiment__method__options_schema",
)  # fmt: skip
_DIGITS = 19  # of the largest number a bigint holds


@dataclass(frozen=True, slots=True)
class CellFacts:
    """One cell: its part of the plan, and once it is judged, what the verdict rests on.

    counts: whether the headline counts its verdict; not while its experiment is held, and not without one.
    """

    cell: TransferCell
    planned: Mapping[str, Any]
    numbers: Numbers
    counts: bool
    p_adjusted: float | None
    theta_min: float

    @property
    def verdict(self) -> str | None:
        """None until it is judged."""
        return self.cell.verdict or None

    @property
    def mde(self) -> float | None:
        """How far above the margin a PGR must lie to be told from it, as planned."""
        mde: float | None = self.planned.get("mde")
        return mde

    @property
    def detects(self) -> float | None:
        """Smallest true PGR that is likely found to transfer, as planned."""
        return detects_from(self.theta_min, self.mde)


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """One study; headline is None until every cell is judged, pooled where there are too few."""

    study: TransferStudy
    cells: Sequence[CellFacts]
    headline: Headline | None
    pooled: Pooled | None
    source_held: bool

    @property
    def kind(self) -> str:
        """Whether it confirms or explores."""
        return "confirmatory" if self.study.confirmatory else "exploratory"

    @property
    def judged(self) -> int:
        """How many cells have a verdict."""
        return sum(each.verdict is not None for each in self.cells)

    @property
    def says(self) -> str:
        """The headline, or how far the study is."""
        return self.headline.says if self.headline else f"{self.judged} of {len(self.cells)} cells judged"


@dataclass(frozen=True, slots=True)
class TransferNote:
    """What an experiment's latest study says, for a line of the leaderboard."""

    study: int
    state: str
    says: str
    short: str


def notes_on(user: "Actor", experiments: Collection[int]) -> dict[int, TransferNote]:
    """Experiment id -> note of its latest study, a cancelled one only for want of others.

    Nothing for accounts that may not see studies.
    """
    if not experiments or not can_see_studies(user):
        return {}
    latest = TransferStudy.objects.filter(experiment__in=experiments).order_by(
        "experiment_id", _last(state=StudyState.CANCELLED), "-id"
    )
    chosen = latest.distinct("experiment_id").values("pk")
    found = study_facts(list(_with_all(TransferStudy.objects.filter(pk__in=chosen))))
    return {each.study.experiment_id: _note(each) for each in found}


def _note(facts: StudyFacts) -> TransferNote:
    cells = len(facts.cells)
    short = facts.headline.short if facts.headline else f"{facts.judged} of {cells} judged"
    return TransferNote(facts.study.pk, facts.study.state, facts.says, short)


@dataclass(frozen=True, slots=True)
class StudyPage:
    """A page of studies, with the query strings of its neighbours."""

    rows: list[StudyFacts]
    next: str | None
    previous: str | None
    first: str | None
    experiment: int | None
    total: int | None = None


def study_page(user: "Actor", *, experiment: str = "", cursor: str = "") -> StudyPage:
    """The newest first. experiment: a number, to see the studies of one; anything else shows all."""
    number = int(experiment) if experiment.isdecimal() and len(experiment) < _DIGITS else None
    found = window(studies_for(user, {"experiment": number}), order="-id", cursor=cursor, size=PAGE_SIZE)
    kept = {"experiment": number} if number else {}
    return StudyPage(
        rows=study_facts(found.rows),
        next=found.following and urlencode({**kept, "cursor": found.following}),
        previous=found.preceding and urlencode({**kept, "cursor": found.preceding}),
        first=urlencode(kept) if cursor else None,
        experiment=number,
    )


@dataclass(frozen=True, slots=True)
class MapCell:
    """The latest verdict of one method on one benchmark."""

    cell: TransferCell
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class MapLine:
    """One method (code and options) with a field per benchmark of the map; None where it was not studied."""

    source: Experiment
    cells: Sequence[MapCell | None]


@dataclass(frozen=True, slots=True)
class TransferMap:
    """Methods × cells."""

    benchmarks: Sequence[Benchmark]
    lines: Sequence[MapLine]


def transfer_map(user: "Actor") -> TransferMap:
    """The latest verdict of each method on each benchmark; the methods studied last, MOST_METHODS of them.

    A cell that did not run stands where there is nothing else: to cancel a study hides no earlier verdict.
    Reruns of a method share its line, which the study begun last names. What is held is left out.
    """
    require_studies(user)
    judged = TransferCell.objects.exclude(verdict="").filter(experiment__standing__in=RANKED)
    digest = "study__experiment__method_digest"
    methods = judged.order_by().values_list(digest).annotate(last=Max("pk")).order_by("-last")[:MOST_METHODS]
    latest = (
        judged.filter(**{f"{digest}__in": [found for found, _ in methods]})
        .order_by(digest, "benchmark_id", _last(verdict=Verdict.NOT_RUN), "-id")
        .distinct(digest, "benchmark_id")
    )
    cells = TransferCell.objects.filter(pk__in=latest.values("pk")).select_related(
        "benchmark", "study__experiment__method", "study__experiment__benchmark"
    )
    sources: dict[str, Experiment] = {}
    found: dict[tuple[str, int], MapCell] = {}
    for cell in cells.only(*_OF_MAP).order_by("-id"):
        source = cell.study.experiment
        sources.setdefault(source.method_digest, source)
        found[source.method_digest, cell.benchmark_id] = MapCell(cell, read_numbers(cell.numbers))
    places = {each.cell.benchmark_id: each.cell.benchmark for each in found.values()}
    benchmarks = sorted(places.values(), key=lambda each: each.slug)
    lines = [MapLine(source, [found.get((of, each.pk)) for each in benchmarks]) for of, source in sources.items()]
    return TransferMap(benchmarks, lines)


def studyable(user: "Actor", experiment: str) -> tuple[Experiment | None, str]:
    """The experiment with that number if its method can be studied, else None and why; no why where none is named."""
    if not experiment:
        return None, ""
    number = int(experiment) if experiment.isdecimal() and len(experiment) < _DIGITS else 0
    visible = Experiment.objects.visible_to(user).select_related("benchmark", "method", "submitter", "snapshot")
    found = visible.defer("snapshot__files").filter(pk=number).first()
    if found is None:
        return None, f"there is no experiment {experiment[:20]}"
    try:
        check_source(found)
    except LabError as error:
        return None, str(error)
    return found, ""


def studies_for(user: "Actor", query: Mapping[str, Any]) -> QuerySet[TransferStudy]:
    """Studies that the filters let through: experiment, method, state. Raises: Forbidden."""
    require_studies(user)
    found = TransferStudy.objects.all()
    for name, column in (("experiment", "experiment"), ("method", "experiment__method__name"), ("state", "state")):
        if query.get(name):
            found = found.filter(**{column: query[name]})
    return _with_all(found)


def study_of(user: "Actor", study_id: int, *, lock: bool = False) -> TransferStudy:
    """One study; lock: its row, for a caller in a transaction. Raises: Forbidden, NotFound."""
    require_studies(user)
    rows = TransferStudy.objects.select_for_update(of=("self",)) if lock else TransferStudy.objects.all()
    found = _with_all(rows).filter(pk=study_id).first()
    if found is None:
        raise NotFound(f"there is no transfer study {study_id}")
    return found


def require_studies(user: "Actor") -> None:
    """Raises: Forbidden for accounts that may not see holdout scores, such as agents."""
    if not can_see_studies(user):
        raise Forbidden("transfer studies rest on the holdout split, which this account may not see")


def study_facts(studies: Sequence[TransferStudy]) -> list[StudyFacts]:
    """What pages and API show of studies that `studies_for` or `study_of` has read."""
    return [_facts(each) for each in studies]


def _facts(study: TransferStudy) -> StudyFacts:
    cells = list(study.cells.all())
    planned = {each["benchmark"]: each for each in study.plan["cells"]}
    numbers = [read_numbers(each.numbers) for each in cells]
    counts = [each.verdict != "" and each.experiment.standing in RANKED for each in cells]
    all_judged = all(each.judged_at for each in cells)
    # a cell that did not run, or whose result is held, speaks against transfer: its p is 1
    ps = [1.0 if own.p is None or not counted else own.p for own, counted in zip(numbers, counts, strict=True)]
    corrected: Sequence[float | None] = (
        adjusted(ps, confirmatory=study.confirmatory) if all_judged else [None] * len(ps)
    )
    measured = [counted and each.verdict != Verdict.NOT_MEASURABLE for each, counted in zip(cells, counts, strict=True)]
    estimates = [own.pgr for own, usable in zip(numbers, measured, strict=True) if usable and own.pgr]
    return StudyFacts(
        study=study,
        cells=[
            CellFacts(cell, planned[cell.benchmark.slug], own, counted, p, study.theta_min)
            for cell, own, counted, p in zip(cells, numbers, counts, corrected, strict=True)
        ],
        headline=headline(ps, confirmatory=study.confirmatory) if all_judged else None,
        pooled=pooled(estimates) if all_judged else None,
        source_held=study.experiment.standing not in RANKED,
    )


def _last(**values: str) -> Case:
    """For an order: rows with this value after all others."""
    return Case(When(**values, then=1), default=0, output_field=SmallIntegerField())


def _with_all(found: QuerySet[TransferStudy]) -> QuerySet[TransferStudy]:
    cells = TransferCell.objects.select_related("benchmark", "experiment").only(*_OF_CELLS)
    return (
        found.select_related("experiment__benchmark", "experiment__method", "author")
        .defer(*_HEAVY)
        .prefetch_related(Prefetch("cells", queryset=cells.order_by("id")))
    )
