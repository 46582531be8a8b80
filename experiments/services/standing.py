"""What people's judgement makes of a result: its standing, what its submitter is told, what descends from it.

Whoever judges holds the lock of descent.py, so that no submission comes between the look for descendants and the end.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from experiments.lifecycle import TAINTING, MethodClass, Standing
from experiments.models import Experiment
from experiments.services import holds
from experiments.services.states import tell

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Code descends from code along stated parents; a snapshot is its own descendant, so reruns are tainted, too.
_DESCENDANTS = """
    WITH RECURSIVE line(id) AS (
        SELECT unnest(%s::bigint[])
        UNION SELECT child_id FROM experiments_snapshotparent JOIN line ON parent_id = line.id
    ) SELECT id FROM line
"""
_TAINTED_BY = """
    WITH RECURSIVE line(id) AS (
        SELECT %s::bigint UNION SELECT parent_id FROM experiments_snapshotparent JOIN line ON child_id = line.id
    )
    SELECT min(held.id) FROM experiments_experiment held JOIN line ON held.snapshot_id = line.id
    WHERE held.standing = ANY(%s) AND held.id <> %s
"""


def lock_judged(judged: Collection[int], *, submitters: Collection[int]) -> None:
    """Take all that judging these touches, by id, before the first event. Needs a transaction and the lock for judging.

    That is they, what may be tainted or cleared with them, and what these accounts have not ended, which may be held.
    """
    code = Experiment.objects.filter(pk__in=judged, snapshot__isnull=False).values_list("snapshot", flat=True)
    descended = Experiment.objects.filter(snapshot__in=_line(list(code))).values_list("pk", flat=True)
    touched = {*judged, *descended, *holds.unfinished(submitters).values_list("pk", flat=True)}
    rows = Experiment.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=touched)
    list(rows.order_by("pk").values_list("pk", flat=True))


def own_standing(experiment: Experiment) -> Standing:
    """What a result counts for while nothing is held against it."""
    return Standing.POLICY_GRAY if experiment.method_class == MethodClass.POLICY_GRAY else Standing.COUNTED


@transaction.atomic
def judge(
    *,
    experiment_id: int,
    standing: str,
    flags: Sequence[dict[str, Any]],
    reason: str = "",
    actor: "User | None" = None,
) -> Experiment:
    """Set a result's standing and what its submitter may know of the flags on it; taint or clear what descends.

    flags: [{"id", "level", "state"}]. reason: for people; it stands in the log. Needs a transaction that holds what
    lock_judged takes.
    """
    rows = Experiment.objects.select_for_update(no_key=True, of=("self",)).select_related("benchmark")
    experiment: Experiment = rows.get(pk=experiment_id)
    before = experiment.standing
    experiment.standing, experiment.flags = standing, list(flags)
    experiment.save(update_fields=["standing", "flags"])
    if standing != before:
        payload = {"experiment": experiment.pk, "standing": standing, "before": before, "reason": reason}
        tell(experiment, "experiment.standing", actor=actor, payload=payload)
    if (standing in TAINTING) != (before in TAINTING):
        _retaint(experiment)
    return experiment


def taint_of(experiment: Experiment) -> int | None:
    """The oldest held or disqualified experiment whose code this one's descends from; None if there is none."""
    if experiment.snapshot_id is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_TAINTED_BY, [experiment.snapshot_id, [str(each) for each in TAINTING], experiment.pk or 0])
        found: int | None = cursor.fetchone()[0]
    return found


def _line(snapshots: Collection[int]) -> list[int]:
    """These snapshots and all that descend from them."""
    with connection.cursor() as cursor:
        cursor.execute(_DESCENDANTS, [list(snapshots)])
        return [row[0] for row in cursor.fetchall()]


def _retaint(source: Experiment) -> None:
    if source.snapshot_id is None:
        return
    descended = Experiment.objects.select_related("benchmark").filter(snapshot__in=_line([source.snapshot_id]))
    for experiment in descended.exclude(pk=source.pk).order_by("pk"):  # locked with it: nothing has come since
        by = taint_of(experiment)
        if by != experiment.tainted_by_id:
            Experiment.objects.filter(pk=experiment.pk).update(tainted_by=by)
            tell(experiment, "experiment.tainted", payload={"experiment": experiment.pk, "tainted_by": by})
