"""What an experiment builds on: snapshots its code started from, experiments cited beside it; and which are held."""

from collections.abc import Iterable

from experiments.models import Experiment
from experiments.snapshots.models import SnapshotParent
from forum.models import FindingExperiment, FindingParent
from oversight.facts import Taint
from oversight.lifecycle import GAMING, FlagState, Level
from oversight.models import Decision, Flag

MOST_GENERATIONS = 50  # parents of parents; nobody needs more, and a loop ends


def taints_of(row: Experiment) -> list[Taint]:
    """Ancestors that a hold stands against: undecided, or decided to be gaming."""
    found = []
    if row.snapshot_id:
        ancestors = _ancestors(row.snapshot_id)
        same = Experiment.objects.filter(snapshot__in=[*ancestors, row.snapshot_id]).exclude(pk=row.pk)
        held = _held(same.exclude(submitter=row.submitter_id, snapshot=row.snapshot_id).values_list("pk", flat=True))
        found += [Taint(experiment, "snapshot") for experiment in held]
    own = FindingExperiment.objects.filter(experiment=row).values_list("finding_id", flat=True)
    parents = FindingParent.objects.filter(finding__in=list(own)).values_list("parent_id", flat=True)
    cited = FindingExperiment.objects.filter(finding__in=[*own, *parents]).exclude(experiment=row.pk)
    found += [Taint(experiment, "citation") for experiment in _held(cited.values_list("experiment_id", flat=True))]
    return sorted(dict.fromkeys(found), key=lambda taint: (taint.experiment, taint.how))


def _ancestors(snapshot_id: int) -> list[int]:
    """Ids of the snapshots that it started from, directly or not."""
    seen: set[int] = set()
    generation = [snapshot_id]
    for _ in range(MOST_GENERATIONS):
        parents = SnapshotParent.objects.filter(child__in=generation).values_list("parent_id", flat=True)
        generation = [parent for parent in set(parents) if parent not in seen]
        if not generation:
            break
        seen |= set(generation)
    return sorted(seen)


def _held(experiments: Iterable[int]) -> list[int]:
    """Those with a hold that was not lifted."""
    holds = Flag.objects.filter(experiment__in=list(experiments), level=Level.HOLD)
    return sorted({flag.experiment_id for flag in holds if flag.experiment_id and _stands(flag)})


def _stands(flag: Flag) -> bool:
    if flag.state != FlagState.DECIDED:
        return True
    last = Decision.objects.filter(flag=flag).order_by("-id").first()
    return last is not None and last.verdict in GAMING
