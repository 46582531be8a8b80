"""Which experiment grew out of which: by code, by rerun, by findings that build on findings."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from django.db.models import Count, Max, Q, QuerySet

from experiments.models import Experiment
from experiments.selectors.ideas import tried_experiments
from experiments.selectors.scores import dev_score
from experiments.snapshots.models import SnapshotParent
from forum.models import Finding, FindingExperiment, FindingParent, Hide
from forum.permissions import can_curate

if TYPE_CHECKING:
    from experiments.permissions import Actor

MOST_NODES = 200  # of the figure; what has descent comes first
LOOKED_AT = 3000  # newest experiments, among which those with descent are found
CACHE_SECONDS = 3600
MOST_PARENTS = 12  # of one experiment
MOST_BETWEEN = 3  # findings without experiments from one with to the next


@dataclass(frozen=True, slots=True)
class Origin:
    """One line of descent. via: "code", "rerun" or "finding 7"."""

    parent: int
    via: str


class Origins(tuple[Origin, ...]):
    """Lines of descent, readable in a table."""

    def __str__(self) -> str:
        return ", ".join(f"#{each.parent} ({each.via})" for each in self) or "–"


@dataclass(frozen=True, slots=True)
class LineageRow:
    """One experiment and what it builds on."""

    experiment: int
    title: str
    submitter: str
    submitted_at: datetime
    state: str
    pgr: float | None = field(metadata={"heading": "Dev PGR"})
    low: float | None
    high: float | None
    seeds: int
    items: int | None
    builds_on: Origins
    leads_to: int = field(metadata={"heading": "Leads to"})


def lineage_rows(user: "Actor", campaign: int) -> list[LineageRow]:
    """Experiments with descent, the newest MOST_NODES of them, oldest first; of all that there are among LOOKED_AT."""
    family = _family(user, campaign)
    facts = Experiment.objects.filter(pk__in=family).select_related("submitter")
    facts = facts.only("title", "state", "seeds", "created_at", "dev_pgr", "dev_score", "submitter__username")
    return [_row(each, *family[each.pk]) for each in facts.order_by("pk")]


def _family(user: "Actor", campaign: int) -> dict[int, tuple[list[Origin], int]]:
    """What each kept experiment builds on, and how many build on it; kept until there is news.

    Descent is stated once, with the experiment or the finding; only hiding a finding takes a line away.
    """
    rows, findings = tried_experiments(user, campaign), Finding.objects.visible_to(user)
    latest = rows.aggregate(last=Max("pk"), count=Count("pk"))
    hidden = Hide.objects.aggregate(last=Max("pk"), standing=Count("pk", filter=Q(lifted_at=None)))
    said = FindingExperiment.objects.aggregate(last=Max("pk"))["last"]
    key = f"lineage:{campaign}:{can_curate(user)}:{latest['last']}:{latest['count']}:{said}:{sorted(hidden.items())}"
    key = sha256(key.encode()).hexdigest()
    found: dict[int, tuple[list[Origin], int]] | None = cache.get(key)
    if found is None:
        ids = set(rows.order_by("-pk").values_list("pk", flat=True)[:LOOKED_AT])
        origins = _origins(rows, findings, ids) if ids else {}
        children: dict[int, int] = defaultdict(int)
        for known in origins.values():
            for parent in {each.parent for each in known}:
                children[parent] += 1
        kept = sorted({*origins, *children})[-MOST_NODES:]
        found = {each: (origins.get(each, []), children[each]) for each in kept}
        cache.set(key, found, CACHE_SECONDS)
    return found


def _origins(rows: QuerySet[Any], findings: QuerySet[Any], ids: set[int]) -> dict[int, list[Origin]]:
    """ids: the newest of rows."""
    found: dict[int, list[Origin]] = defaultdict(list)
    chosen = rows.filter(pk__gte=min(ids), pk__lte=max(ids)).order_by()
    for child, parent, via in [*_reruns(chosen), *_code(chosen), *_citations(findings, chosen)]:
        known = found[child]
        if parent in ids and parent != child and len(known) < MOST_PARENTS and all(o.parent != parent for o in known):
            known.append(Origin(parent, via))
    return {child: lines for child, lines in found.items() if lines}


def _reruns(chosen: QuerySet[Any]) -> Iterable[tuple[int, int, str]]:
    rows = chosen.filter(rerun_of__isnull=False).values_list("pk", "rerun_of")
    return [(child, parent, "rerun") for child, parent in rows if parent]


def _code(chosen: QuerySet[Any]) -> Iterable[tuple[int, int, str]]:
    """To the first experiment that ran the parent's code."""
    using: dict[int, list[int]] = defaultdict(list)
    rows = chosen.filter(snapshot__isnull=False).order_by("pk")
    for pk, snapshot in rows.values_list("pk", "snapshot"):
        using[snapshot or 0].append(pk)
    links = SnapshotParent.objects.filter(child__in=using, parent__in=using).values_list("child", "parent")
    return [(child, using[parent][0], "code") for code, parent in links for child in using[code]]


def _citations(findings: QuerySet[Any], chosen: QuerySet[Any]) -> Iterable[tuple[int, int, str]]:
    """A finding on new experiments builds on a finding on older ones, be it through a hypothesis, which is on none."""
    speaks: dict[int, list[int]] = defaultdict(list)
    links: Any = FindingExperiment.objects.filter(experiment__in=chosen.values("pk"), finding__in=findings)
    for finding, experiment in links.order_by("experiment").values_list("finding", "experiment"):
        speaks[finding].append(experiment)
    if not speaks:
        return
    first = min(speaks)
    parents = FindingParent.objects.filter(finding__gte=first, parent__gte=first)
    parents = parents.filter(finding__in=findings, parent__in=findings).order_by("finding", "parent")
    above: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for finding, parent, experiments in parents.values_list("finding", "parent", "parent__experiment_count"):
        above[finding].append((parent, experiments == 0))
    for finding, children in speaks.items():
        for source in _sources(finding, above, speaks):
            older = speaks[source][:MOST_PARENTS]
            for child in children[:MOST_PARENTS]:
                yield from ((child, each, f"finding {source}") for each in older if each < child)


def _sources(finding: int, above: Mapping[int, list[tuple[int, bool]]], speaks: Mapping[int, list[int]]) -> list[int]:
    """The nearest findings above it that speak of experiments, through at most MOST_BETWEEN that speak of none."""
    sources, seen, level = [], {finding}, [finding]
    for _ in range(MOST_BETWEEN + 1):
        nearest = dict(pair for each in level for pair in above.get(each, ()) if pair[0] not in seen)
        seen |= set(nearest)
        sources += [each for each in nearest if each in speaks]
        level = [each for each, is_bare in nearest.items() if is_bare]
    return sources


def _row(experiment: Experiment, origins: list[Origin], children: int) -> LineageRow:
    score = dev_score(experiment)
    return LineageRow(
        experiment=experiment.pk,
        title=experiment.title,
        submitter=experiment.submitter.get_username(),
        submitted_at=experiment.created_at,
        state=experiment.state,
        pgr=score.value if score else None,
        low=score.low if score else None,
        high=score.high if score else None,
        seeds=(score.n_seeds if score else None) or experiment.seeds,
        items=score.n_items if score else None,
        builds_on=Origins(origins),
        leads_to=children,
    )
