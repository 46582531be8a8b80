"""Computes the features of a benchmark on the gpu queue; sees no label."""

import time

from experiments.lifecycle import ExperimentState
from experiments.models import Benchmark, Experiment
from experiments.services.preparation import Step, claim_preparation, finish_features
from workers.steps import Postponed, run_step
from workers.w2s.spec import Progress, Report
from workers.warm import open_arena

LOOK_SECONDS = 1.0  # between looks for experiments that wait


def extract_features(*, worker: str, slug: str) -> bool:
    """Claim the step and do it; experiments go first, and extraction then resumes from its finished shards.

    Returns: whether the features are there now.
    """
    claim = claim_preparation(worker=worker, slug=slug, steps=[Step.FEATURES])
    if claim is None:
        return False

    def work(report: Report) -> None:
        arena = open_arena(Benchmark.objects.get(pk=claim.benchmark_id), _Courteous(report))
        finish_features(claim=claim, provenance=arena.digests)

    return run_step(claim, work)


class _Courteous:
    """A `Report` that lets experiments go first."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """Raises: Postponed, LeaseLost."""
        self._report(progress)
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK_SECONDS
        if Experiment.objects.filter(state=ExperimentState.QUEUED).exists():
            raise Postponed
