"""Probes on their way: asked for, claimed by a gpu worker, handed to the scorer, put back when a worker dies."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone
from numpy.typing import NDArray

from experiments import dispatch
from experiments.errors import IllegalTransition
from experiments.lifecycle import SAME_ANSWERS, ExperimentState, ProbeState, RunState
from experiments.models import Experiment, Run
from experiments.probe_models import Probe
from experiments.services.leases import LeaseLost, lease_end, new_token
from experiments.services.runs import Claim

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SEEDS = 5  # runs that a probe repeats at most: paired with the originals, five tell. But see _seeds.
MOST_VISITED = 20
# So long a probe lets waiting runs go first; then it goes before them. A full queue may never empty, and the holds that
# probes bring would never come.
PATIENCE = timedelta(seconds=60)
_UNFINISHED = [ProbeState.QUEUED, ProbeState.RUNNING, ProbeState.EVALUATING]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ProbeClaim(Claim):
    """The claim on a probe: seeds, seed_indices and run_ids are those of the runs to repeat."""

    probe_id: int
    kind: str


@transaction.atomic
def add_probes(*, experiment_id: int, kinds: Iterable[str], user: "User | None" = None) -> list[Probe]:
    """Queue one probe of each kind; a kind that is under way already is not queued twice.

    user: who asks; None for the lab itself. Raises: IllegalTransition unless the experiment is scored.
    """
    experiment = Experiment.objects.select_for_update(no_key=True).get(pk=experiment_id)
    if experiment.state != ExperimentState.SCORED:
        raise IllegalTransition(f"experiment {experiment.pk} is {experiment.state}: only scored ones can be probed")
    scored = experiment.runs.filter(state=RunState.SCORED).count()
    waiting = set(experiment.probes.filter(state__in=_UNFINISHED).values_list("kind", flat=True))
    made = [
        Probe.objects.create(
            experiment=experiment, kind=kind, seeds=_seeds(experiment, kind, scored), requested_by=user
        )
        for kind in dict.fromkeys(kinds)
        if kind not in waiting
    ]
    for probe in made:
        dispatch.probe(probe.pk)
    return made


def _seeds(experiment: Experiment, kind: str, scored: int) -> int:
    """How many of so many scored runs a probe of that kind repeats.

    Those that must give the same answers again train all heads of a recipe, as the experiment did: one more or less in
    a batch changes the last bits of the others, and a run that believes almost nothing answers by them.
    """
    together = experiment.snapshot_id is None and experiment.benchmark.student == "probe"
    return scored if kind in SAME_ANSWERS and together else min(SEEDS, scored)


@transaction.atomic
def claim_probe(*, worker: str) -> ProbeClaim | None:
    """Take the oldest waiting probe; None where none waits, or where runs wait and it has not waited for PATIENCE."""
    locked = Probe.objects.select_for_update(skip_locked=True, no_key=True, of=("self",)).filter(
        state=ProbeState.QUEUED
    )
    probe = locked.select_related("experiment__benchmark", "experiment__method").order_by("id").first()
    if probe is None or (timezone.now() - probe.created_at < PATIENCE and _runs_wait()):
        return None
    token, experiment = new_token(worker), probe.experiment
    Probe.objects.filter(pk=probe.pk).update(
        state=ProbeState.RUNNING, lease_owner=token, lease_until=lease_end(timezone.now()), attempt=F("attempt") + 1
    )
    runs = list(experiment.runs.filter(state=RunState.SCORED).order_by("seed_index")[: probe.seeds])
    return ProbeClaim(
        token=token,
        worker=worker,
        probe_id=probe.pk,
        kind=probe.kind,
        experiment_id=experiment.pk,
        benchmark_id=experiment.benchmark_id,
        benchmark=experiment.benchmark.slug,
        method=experiment.method.name,
        options=experiment.options,
        code_digest=experiment.provenance.get("code_digest", ""),
        snapshot_id=experiment.snapshot_id,
        run_ids=tuple(run.pk for run in runs),
        seed_indices=tuple(run.seed_index for run in runs),
        seeds=tuple(run.seed for run in runs),
    )


def renew_probe(*, token: str) -> int:
    """Prolong the lease. Returns: 0 if it is lost."""
    held = Probe.objects.filter(lease_owner=token, state=ProbeState.RUNNING)
    return held.update(lease_until=lease_end(timezone.now()))


@transaction.atomic
def record_probe(
    *, claim: ProbeClaim, predictions: Mapping[str, Floats], prior: Mapping[str, Floats], seconds: float
) -> None:
    """Hand predictions over.

    predictions: split -> (runs, items), NaN where not asked. prior: split -> (items,) log-odds. Raises: LeaseLost.
    """
    _leave(
        claim,
        state=ProbeState.EVALUATING,
        predictions={split: packed(values) for split, values in predictions.items()},
        prior={split: packed(values) for split, values in prior.items()},
        seconds=seconds,
    )
    dispatch.score_probe(claim.probe_id)


@transaction.atomic
def fail_probe(*, claim: ProbeClaim, reason: str) -> None:
    """It could not be run: the reason says why. Raises: LeaseLost."""
    cut = reason.replace("\x00", "")[-4000:]
    _leave(claim, state=ProbeState.FAILED, error=cut, finished_at=timezone.now())


def release_probe(*, claim: ProbeClaim) -> None:
    """Give it back untried. Harmless when the lease is lost."""
    held = Probe.objects.filter(pk=claim.probe_id, lease_owner=claim.token, state=ProbeState.RUNNING)
    held.update(state=ProbeState.QUEUED, lease_owner="", lease_until=None, attempt=F("attempt") - 1)


def visit_probes(*, depths: Mapping[str, int]) -> int:
    """Beat: put expired leases back, wake workers up.

    depths: queue -> messages under way; any of them serves what waits, so only as many are sent as are missing.
    Returns: messages sent.
    """
    expired = Probe.objects.filter(state=ProbeState.RUNNING, lease_until__lt=timezone.now())
    expired.filter(attempt__gte=settings.RUN_ATTEMPTS).update(
        state=ProbeState.FAILED, lease_owner="", lease_until=None, finished_at=timezone.now(),
        error="the worker stopped renewing its lease: it was killed or ran out of memory",
    )  # fmt: skip
    expired.update(state=ProbeState.QUEUED, lease_owner="", lease_until=None)
    sent = 0
    waiting = Probe.objects.order_by("id").values_list("pk", flat=True)
    missing = slice(min(depths[dispatch.GPU], MOST_VISITED), MOST_VISITED)
    for pk in waiting.filter(state=ProbeState.QUEUED)[missing]:
        dispatch.probe(pk)
        sent += 1
    if depths[dispatch.EVALUATION] < MOST_VISITED:
        for pk in waiting.filter(state=ProbeState.EVALUATING)[:MOST_VISITED]:
            dispatch.score_probe(pk)
            sent += 1
    return sent


def packed(values: Floats) -> str:
    """float32 values as base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def unpacked(text: str, rows: int | None = None) -> Floats:
    """(rows, items) of a packed table, or (items,)."""
    values = np.frombuffer(base64.b64decode(text), dtype="<f4")
    return values if rows is None else values.reshape(rows, -1)


def _runs_wait() -> bool:
    waiting = Run.objects.filter(experiment=OuterRef("pk"), state=RunState.QUEUED)
    return Experiment.objects.unfinished().filter(Exists(waiting), held=False).exists()


def _leave(claim: ProbeClaim, **fields: Any) -> None:
    held = Probe.objects.filter(pk=claim.probe_id, lease_owner=claim.token, state=ProbeState.RUNNING)
    if not held.update(lease_owner="", lease_until=None, **fields):
        raise LeaseLost(f"probe {claim.probe_id} is no longer held by {claim.worker}")
