"""Which experiment grew out of which: by code, by rerun, by findings that build on findings."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from experiments.models import Experiment
from experiments.selectors.ideas import MOST, tried_experiments
from experiments.selectors.scores import dev_score
from experiments.snapshots.models import SnapshotParent
from forum.models import Finding, FindingExperiment, FindingParent

if TYPE_CHECKING:
    from experiments.permissions import Actor

MOST_NODES = 200  # of the figure; what has descent comes first
MOST_PARENTS = 12  # of one experiment


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
    """Experiments with descent, the newest MOST_NODES of them, oldest first; of all that there are among MOST."""
    rows = tried_experiments(user, campaign)
    ids = set(rows.order_by("-pk").values_list("pk", flat=True)[:MOST])
    origins = _origins(user, ids)
    children: dict[int, int] = defaultdict(int)
    for found in origins.values():
        for parent in {each.parent for each in found}:
            children[parent] += 1
    kept = sorted({*origins, *children})[-MOST_NODES:]
    facts = Experiment.objects.filter(pk__in=kept).select_related("submitter")
    facts = facts.only("title", "state", "seeds", "created_at", "dev_pgr", "dev_score", "submitter__username")
    return [_row(each, origins.get(each.pk, []), children[each.pk]) for each in facts.order_by("pk")]


def _origins(user: "Actor", ids: set[int]) -> dict[int, list[Origin]]:
    found: dict[int, list[Origin]] = defaultdict(list)
    for child, parent, via in [*_reruns(ids), *_code(ids), *_citations(user, ids)]:
        known = found[child]
        if parent in ids and parent != child and len(known) < MOST_PARENTS and all(o.parent != parent for o in known):
            known.append(Origin(parent, via))
    return {child: lines for child, lines in found.items() if lines}


def _reruns(ids: set[int]) -> Iterable[tuple[int, int, str]]:
    rows = Experiment.objects.filter(pk__in=ids, rerun_of__isnull=False).values_list("pk", "rerun_of")
    return [(child, parent, "rerun") for child, parent in rows if parent]


def _code(ids: set[int]) -> Iterable[tuple[int, int, str]]:
    """To the first experiment that ran the parent's code."""
    using: dict[int, list[int]] = defaultdict(list)
    rows = Experiment.objects.filter(pk__in=ids, snapshot__isnull=False).order_by("pk")
    for pk, snapshot in rows.values_list("pk", "snapshot"):
        using[snapshot or 0].append(pk)
    links = SnapshotParent.objects.filter(child__in=using, parent__in=using).values_list("child", "parent")
    return [(child, using[parent][0], "code") for code, parent in links for child in using[code]]


def _citations(user: "Actor", ids: set[int]) -> Iterable[tuple[int, int, str]]:
    """A finding on new experiments that builds on a finding on older ones."""
    speaks: dict[int, list[int]] = defaultdict(list)
    links: Any = FindingExperiment.objects.filter(experiment__in=ids, finding__in=Finding.objects.visible_to(user))
    for finding, experiment in links.order_by("experiment").values_list("finding", "experiment"):
        speaks[finding].append(experiment)
    parents = FindingParent.objects.filter(finding__in=speaks, parent__in=speaks).order_by("finding", "parent")
    for finding, parent in parents.values_list("finding", "parent"):
        older = speaks[parent][:MOST_PARENTS]
        for child in speaks[finding][:MOST_PARENTS]:
            yield from ((child, each, f"finding {parent}") for each in older if each < child)


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
