"""What the pages of snapshots show: the list, one of them with its lineage and experiments, the difference of two."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q, QuerySet

from experiments.models import Experiment
from experiments.snapshots import selectors
from experiments.snapshots.diffs import Difference
from experiments.snapshots.models import Snapshot, SnapshotParent
from experiments.snapshots.selectors import FileFacts

if TYPE_CHECKING:
    from experiments.permissions import Actor

PAGE_SIZE = 40
MOST_SHOWN = 300_000  # characters of code on one page; what is beyond has a page per file
EXPERIMENTS_SHOWN = 50
GENERATIONS, MOST_RELATIVES = 4, 60  # of the lineage graph, each way


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """One line of the list; experiments: how many ran it. Its `files` are not read."""

    snapshot: Snapshot
    experiments: int
    parents: list[int]


@dataclass(frozen=True, slots=True)
class SnapshotList:
    """Newest first; before: the id from which the next page goes on, None on the last one."""

    rows: list[SnapshotRow]
    before: int | None


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file with its text, None where the page would be too long for it."""

    facts: FileFacts
    text: str | None


@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """One snapshot. relatives: how many ancestors and descendants the graph shows; more: whether it leaves some out."""

    snapshot: Snapshot
    files: list[ShownFile]
    parents: list[int]
    children: list[int]
    experiments: list[Experiment]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two snapshots and what changed from the first to the second."""

    before: Snapshot
    after: Snapshot
    differences: Sequence[Difference]


@dataclass(frozen=True, slots=True)
class Relative:
    """A snapshot of a family. generation: below 0 for ancestors, 0 for the one asked for, above for descendants."""

    snapshot: int
    generation: int
    submitter: str
    experiments: int
    best_pgr: float | None
    parents: str


def snapshot_list(user: "Actor", *, search: str = "", before: int | None = None) -> SnapshotList:
    """Snapshots whose id, digest, submitter or experiment titles fit the search."""
    found = _visible(user)
    if search:
        fits = Q(submitter__username__icontains=search) | Q(digest__startswith=search.lower())
        fits |= Q(pk__in=Experiment.objects.filter(title__icontains=search, snapshot__isnull=False).values("snapshot"))
        fits |= Q(pk=int(search)) if search.isdecimal() and len(search) < 19 else Q()
        found = found.filter(fits)
    found = found.filter(pk__lt=before) if before else found
    rows = list(found.select_related("submitter").defer("files").order_by("-pk")[: PAGE_SIZE + 1])
    more, rows = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE]
    ids = [row.pk for row in rows]
    counts = dict(Experiment.objects.filter(snapshot__in=ids).values_list("snapshot").annotate(Count("id")).order_by())
    parents: dict[int, list[int]] = {key: [] for key in ids}
    for child, parent in SnapshotParent.objects.filter(child__in=ids).order_by("pk").values_list("child", "parent"):
        parents[child].append(parent)
    return SnapshotList(
        rows=[SnapshotRow(row, counts.get(row.pk, 0), parents[row.pk]) for row in rows],
        before=ids[-1] if more else None,
    )


def snapshot_page_of(user: "Actor", snapshot_id: int) -> SnapshotPage:
    """Raises: NotFound."""
    snapshot = selectors.snapshot_detail(snapshot_id)
    files, left = [], MOST_SHOWN
    for facts in sorted(selectors.file_facts(snapshot), key=lambda each: (each.path != "method.py", each.path)):
        text = snapshot.files[facts.path]
        left -= len(text)
        files.append(ShownFile(facts, text if left >= 0 else None))
    ran = Experiment.objects.visible_to(user).filter(snapshot=snapshot_id).select_related("benchmark", "submitter")
    return SnapshotPage(
        snapshot=snapshot,
        files=files,
        parents=[parent.pk for parent in snapshot.parents.all()],
        children=selectors.children_of(snapshot_id),
        experiments=list(ran.defer("hypothesis", "search", "provenance").order_by("-pk")[:EXPERIMENTS_SHOWN]),
    )


def comparison_of(before_id: int, after_id: int) -> Comparison:
    """Raises: NotFound."""
    rows = Snapshot.objects.select_related("submitter").defer("files").in_bulk([before_id, after_id])
    differences = selectors.difference(before_id, after_id)
    return Comparison(rows[before_id], rows[after_id], differences)


def family_of(user: "Actor", snapshot_id: int) -> list[Relative]:
    """The snapshot with its ancestors and descendants over a few generations, oldest generation first.

    Nothing for an unknown one. Two queries a generation.
    """
    if not _visible(user).filter(pk=snapshot_id).exists():
        return []
    generations = {snapshot_id: 0}
    for column, other, sign in (("child", "parent", -1), ("parent", "child", 1)):
        edge = [snapshot_id]
        for step in range(1, GENERATIONS + 1):
            links = SnapshotParent.objects.filter(**{f"{column}__in": edge}).order_by(other)
            edge = [key for key in links.values_list(other, flat=True)[:MOST_RELATIVES] if key not in generations]
            generations |= dict.fromkeys(edge, sign * step)
    rows = Snapshot.objects.filter(pk__in=generations).select_related("submitter").defer("files")
    scored: dict[int, tuple[int, float | None]] = {}
    for key, pgr in Experiment.objects.filter(snapshot__in=generations, standing="counted").values_list(
        "snapshot", "dev_pgr"
    ):
        count, best = scored.get(key, (0, None))
        scored[key] = (count + 1, pgr if best is None or (pgr is not None and pgr > best) else best)
    parents: dict[int, list[int]] = {}
    links = SnapshotParent.objects.filter(child__in=generations, parent__in=generations).order_by("pk")
    for child, parent in links.values_list("child", "parent"):
        parents.setdefault(child, []).append(parent)
    relatives = [
        Relative(
            row.pk, generations[row.pk], row.submitter.get_username(), *scored.get(row.pk, (0, None)),
            ", ".join(map(str, parents.get(row.pk, []))),
        )
        for row in rows
    ]  # fmt: skip
    return sorted(relatives, key=lambda each: (each.generation, each.snapshot))


def _visible(user: "Actor") -> QuerySet[Any]:
    """Everyone with an account reads anyone's code."""
    return Snapshot.objects.all() if user.is_authenticated else Snapshot.objects.none()
