"""What people's judgement makes of a result: its standing, what its submitter is told, what descends from it.

Whoever judges holds the lock of descent.py, so that no submission comes between the look for descendants and the end.
A submission that takes over its method's verdict holds it shared. Another one may come between, but nothing changes for
it: the method's first run taints already whatever descends from the code, and is older. Only that run's own taint does.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection, transaction

from experiments.archives.models import imported
from experiments.lifecycle import TAINTING, MethodClass, Standing
from experiments.models import Experiment
from experiments.services import holds
from experiments.services.states import tell, tell_each

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

# Code descends from code along stated parents; a snapshot is its own descendant, so reruns are tainted, too.
_DESCENDANTS = """
    WITH RECURSIVE line(id) AS (
        SELECT unnest(%s::bigint[])
        UNION SELECT child_id FROM experiments_snapshotparent JOIN line ON parent_id = line.id
    ) SELECT id FROM line
"""
# All at once: up to what their code descends from, down again from each of it that taints; the oldest one counts. What
# came from another lab neither taints nor is tainted here: it was not judged here, and is exported again as it came.
_RETAINT = """
    WITH RECURSIVE upward(id) AS (
        SELECT snapshot_id FROM experiments_experiment WHERE id = ANY(%(experiments)s) AND snapshot_id IS NOT NULL
        UNION SELECT parent_id FROM experiments_snapshotparent JOIN upward ON child_id = upward.id
    ), reach(by, id) AS (
        SELECT guilty.id, guilty.snapshot_id FROM experiments_experiment guilty JOIN upward ON snapshot_id = upward.id
        WHERE guilty.standing = ANY(%(tainting)s) AND NOT EXISTS (
            SELECT FROM experiments_importedrow WHERE "table" = 'experiments' AND local_id = guilty.id
        )
        UNION SELECT reach.by, child_id FROM reach JOIN experiments_snapshotparent ON parent_id = reach.id
        JOIN upward ON child_id = upward.id
    ), oldest(id, by) AS (
        SELECT one.id, min(reach.by) FROM experiments_experiment one
        LEFT JOIN reach ON reach.id = one.snapshot_id AND reach.by <> one.id
        WHERE one.id = ANY(%(experiments)s) GROUP BY one.id
    )
    UPDATE experiments_experiment SET tainted_by_id = oldest.by FROM oldest
    WHERE experiments_experiment.id = oldest.id AND tainted_by_id IS DISTINCT FROM oldest.by
    RETURNING experiments_experiment.id, campaign, tainted_by_id
"""


class Tainted(NamedTuple):
    """An experiment of which something else is true than before. by: who taints it now; None if nobody does."""

    experiment: int
    campaign: int
    by: int | None


def lock_judged(judged: Collection[int], *, submitters: Collection[int]) -> None:
    """Take all that judging these touches, by id, before the first event. Needs a transaction and a lock of descent.py.

    That is they, what may be tainted or cleared with them, and what these accounts have not ended, which may be held.
    """
    code = Experiment.objects.filter(pk__in=judged, snapshot__isnull=False).values_list("snapshot", flat=True)
    descended = _own_of(_line(list(code))).values_list("pk", flat=True)
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
        _retaint_line(experiment)
    return experiment


def retaint(experiments: Collection[int]) -> list[Tainted]:
    """Note of each the oldest held or disqualified experiment whose code its own descends from, or that there is none.

    Returns: those of which that is new. One query, however many there are. Needs their rows and a lock of descent.py.
    """
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {"experiments": list(experiments), "tainting": [str(each) for each in TAINTING]}
        cursor.execute(_RETAINT, parameters)
        return [Tainted(*row) for row in cursor.fetchall()]


def _line(snapshots: Collection[int]) -> list[int]:
    """These snapshots and all that descend from them."""
    with connection.cursor() as cursor:
        cursor.execute(_DESCENDANTS, [list(snapshots)])
        return [row[0] for row in cursor.fetchall()]


def _own_of(snapshots: Collection[int]) -> "QuerySet[Experiment]":
    """This lab's experiments with this code; those of other labs are for reading."""
    found: QuerySet[Experiment] = Experiment.objects.filter(~imported("experiments"), snapshot__in=snapshots)
    return found


def _retaint_line(source: Experiment) -> None:
    """What descends from its code, all of it locked: nothing has come since."""
    if source.snapshot_id is None:
        return
    descended = _own_of(_line([source.snapshot_id])).exclude(pk=source.pk)
    told: dict[int, list[tuple[int, dict[str, Any]]]] = {}
    for each in sorted(retaint(descended.values_list("pk", flat=True))):
        payload = {"experiment": each.experiment, "tainted_by": each.by}
        told.setdefault(each.campaign, []).append((each.experiment, payload))
    tell_each("experiment.tainted", told)
