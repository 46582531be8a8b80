"""Ask for the costly detectors: reruns of an experiment, on demand or because it would lead."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.conf import settings

from experiments.archives.models import is_imported
from experiments.errors import Forbidden, InvalidInput, NotFound, Refused
from experiments.indexes import best_first
from experiments.lifecycle import ExperimentState, ProbeKind, Standing
from experiments.models import Experiment
from experiments.probe_models import Probe
from experiments.services.probes import add_probes
from oversight.permissions import can_judge

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ALL = tuple(ProbeKind.values)


def request_probe(*, user: "User", experiment_id: int, kinds: Iterable[str] = ALL) -> list[Probe]:
    """Rerun some seeds of a scored experiment under changed conditions; its inspection follows by itself.

    kinds: of ProbeKind; all by default. One that is under way is not started twice.
    Raises: NotFound, Forbidden, InvalidInput, IllegalTransition unless it is scored, Refused for what came from
    another lab: its benchmark's data stayed there.
    """
    if not Experiment.objects.visible_to(user).filter(pk=experiment_id).exists():
        raise NotFound(f"no experiment {experiment_id}")
    if not can_judge(user):
        raise Forbidden("you may not have experiments probed")
    wanted = list(kinds)
    unknown = sorted(set(wanted) - set(ALL))
    if unknown or not wanted:
        what = repr(unknown[0]) if unknown else "no kind"
        raise InvalidInput(f"{what}: expected some of {', '.join(ALL)}", pointer="#/kinds")
    if is_imported("experiments", experiment_id):
        raise Refused(f"experiment {experiment_id} came from another lab: it is for reading only")
    return add_probes(experiment_id=experiment_id, kinds=wanted, user=user)


def probe_if_leading(experiment_id: int) -> list[Probe]:
    """Probe what entered the top of its leaderboard and was never probed. Returns: the probes, none if it did not."""
    row = Experiment.objects.get(pk=experiment_id)
    if row.probes.exists() or settings.PROBE_TOP == 0:
        return []
    board = Experiment.objects.filter(
        benchmark=row.benchmark_id, method_class=row.method_class, state=ExperimentState.SCORED,
        standing__in=[Standing.COUNTED, Standing.POLICY_GRAY, Standing.UNDER_REVIEW],
    )  # fmt: skip
    leaders = board.order_by(*best_first("dev_pgr")).values_list("pk", flat=True)[: settings.PROBE_TOP]
    return add_probes(experiment_id=row.pk, kinds=ALL) if row.pk in set(leaders) else []
