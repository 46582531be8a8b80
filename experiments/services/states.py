"""Moves rows from state to state: the only writers of `state`, each a guarded UPDATE and its event.

Lock order everywhere: the experiment's row (several: by id), then its runs by id, the event counter last.
What adds or judges experiments takes the lock of descent.py before.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from django.db.models import Count
from django.utils import timezone

from experiments import dispatch, events
from experiments.errors import IllegalTransition
from experiments.lifecycle import (
    BENCHMARK_TRANSITIONS,
    EXPERIMENT_TERMINAL,
    EXPERIMENT_TRANSITIONS,
    RUN_TERMINAL,
    RUN_TRANSITIONS,
    ExperimentState,
    RunState,
    sources,
)
from experiments.models import Benchmark, Experiment, Run
from experiments.transfer.models import TransferCell

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_NO_LEASE = {"lease_owner": "", "lease_until": None}


def move_experiment(
    experiment: Experiment, to: str, *, actor: "User | None" = None, told: dict[str, Any] | None = None, **fields: Any
) -> None:
    """One experiment; terminal states get their time. Needs a transaction and `experiment.benchmark`.

    told: what the event says beside experiment, benchmark and state. Raises: IllegalTransition.
    """
    if to in EXPERIMENT_TERMINAL:
        fields["finished_at"] = timezone.now()
    allowed = sources(EXPERIMENT_TRANSITIONS, to)
    if not Experiment.objects.filter(pk=experiment.pk, state__in=allowed).update(state=to, **fields):
        raise IllegalTransition(f"experiment {experiment.pk} cannot become {to}")
    experiment.state = to
    payload = {"experiment": experiment.pk, "benchmark": experiment.benchmark.slug, "state": to, **(told or {})}
    tell(experiment, f"experiment.{to}", actor=actor, payload=payload)
    if to == ExperimentState.SCORED:
        dispatch.inspect(experiment.pk)
    if to in EXPERIMENT_TERMINAL and experiment.campaign:
        dispatch.ended(experiment.pk)
    if to in EXPERIMENT_TERMINAL and TransferCell.objects.filter(experiment=experiment).exists():
        dispatch.judge_cell(experiment.pk)


def move_runs(experiment: Experiment, runs: Sequence[Run], to: str, **fields: Any) -> None:
    """Runs of one experiment, all of them or none; whatever is not being trained loses its lease.

    Needs a transaction that holds their rows. Raises: IllegalTransition.
    """
    if not runs:
        return
    if to != RunState.RUNNING:
        fields = {**_NO_LEASE, **fields}
    if to in RUN_TERMINAL:
        fields["finished_at"] = timezone.now()
    allowed = sources(RUN_TRANSITIONS, to)
    moved = Run.objects.filter(pk__in=[run.pk for run in runs], state__in=allowed).update(state=to, **fields)
    if moved != len(runs):
        raise IllegalTransition(f"{len(runs) - moved} of {len(runs)} runs of {experiment} cannot become {to}")
    payload = {"experiment": experiment.pk, "state": to, "seeds": sorted(run.seed_index for run in runs)}
    tell(experiment, "run.state", payload=payload)


def tell(experiment: Experiment, kind: str, *, payload: dict[str, Any], actor: "User | None" = None) -> None:
    """An event about an experiment: in the lab's log, which everybody's pages follow, and in its campaign's."""
    for campaign in sorted({events.LAB, experiment.campaign}):
        events.record(kind, f"experiment:{experiment.pk}", actor=actor, payload=payload, campaign=campaign)


def tell_each(kind: str, told: Mapping[int, Sequence[tuple[int, dict[str, Any]]]]) -> None:
    """One event about each of many experiments, with a number of queries that depends on the campaigns only.

    told: campaign -> ids and payloads of its experiments. The lab's log comes first, as ever.
    """
    lab = sorted((line for lines in told.values() for line in lines), key=itemgetter(0))
    for campaign, lines in sorted({**told, events.LAB: lab}.items()):
        events.record_all(kind, [(f"experiment:{pk}", payload) for pk, payload in lines], campaign=campaign)


def move_benchmark(benchmark: Benchmark, to: str, *, actor: "User | None" = None, **fields: Any) -> None:
    """One benchmark. Needs a transaction. Raises: IllegalTransition."""
    allowed = sources(BENCHMARK_TRANSITIONS, to)
    if not Benchmark.objects.filter(pk=benchmark.pk, state__in=allowed).update(state=to, **fields):
        raise IllegalTransition(f"benchmark {benchmark.slug} is {benchmark.state} and cannot become {to}")
    benchmark.state = to
    payload = {"benchmark": benchmark.slug, "state": to}
    events.record("benchmark.state", f"benchmark:{benchmark.slug}", actor=actor, payload=payload)


def settle(experiment: Experiment) -> None:
    """Brings an experiment in line with its runs after some of them were put back or failed.

    SCORED is the scorer's to say, so where it has something to sum up it is woken.
    """
    counts = dict(experiment.runs.values_list("state").annotate(Count("id")).order_by())
    if any(counts.get(state) for state in (RunState.RUNNING, RunState.EVALUATING)):
        return
    if counts.get(RunState.QUEUED):
        if experiment.state == ExperimentState.RUNNING and not counts.get(RunState.SCORED):
            move_experiment(experiment, ExperimentState.QUEUED)
        dispatch.train(experiment.pk)
    elif counts.get(RunState.SCORED):
        dispatch.evaluate(experiment.pk)
    elif experiment.state not in EXPERIMENT_TERMINAL:
        failed = experiment.runs.filter(state=RunState.FAILED)
        reason = failed.order_by("seed_index").values_list("error", flat=True).first() or "no run was left"
        error = f"{failed.count()} of {experiment.seeds} runs failed: {reason}"
        move_experiment(experiment, ExperimentState.FAILED, error=error)
