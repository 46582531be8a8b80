"""How often a method, or a variant of it, was scored somewhere before: who tuned it there has seen more than one."""

from django.db.models import Q

from experiments.lifecycle import ExperimentState
from experiments.models import Experiment
from experiments.services.experiments import MethodThere
from experiments.snapshots.models import Snapshot

# what the code grew out of, and what grew out of it
_LINE = """
    WITH RECURSIVE up(id) AS (
        SELECT %s::bigint
        UNION SELECT parent_id FROM experiments_snapshotparent JOIN up ON child_id = up.id
    ), down(id) AS (
        SELECT %s::bigint
        UNION SELECT child_id FROM experiments_snapshotparent JOIN down ON parent_id = down.id
    ) SELECT id FROM up UNION SELECT id FROM down
"""


def tried_before(source: Experiment, there: MethodThere) -> dict[str, int]:
    """Scored experiments there. seen_before: of this very method. variants_before: of what it may be the best of.

    Variants of a recipe are its other options, whoever chose them; of code, its ancestors and descendants, and whatever
    else its submitter ran there, for nobody has to say what code grew out of.
    """
    seen = there.earlier().filter(state=ExperimentState.SCORED)
    scored = Experiment.objects.filter(
        _variants(source), benchmark=there.benchmark, method=there.method, state=ExperimentState.SCORED
    )
    return {"seen_before": seen.count(), "variants_before": scored.exclude(pk__in=seen.values("pk")).count()}


def _variants(source: Experiment) -> Q:
    if source.snapshot_id is None:
        return Q(snapshot=None)
    line = [each.pk for each in Snapshot.objects.raw(_LINE, [source.snapshot_id, source.snapshot_id])]
    return Q(submitter=source.submitter_id) | Q(snapshot__in=line)
