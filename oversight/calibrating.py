"""Measures detectors on a benchmark's own honest work: scored experiments, and sessions made of their predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from django.db.models import Case, CharField, Count, Q, QuerySet, Value, When

from experiments import scoring
from experiments.inspecting import agreements
from experiments.lifecycle import BenchmarkState, ExperimentState, MethodClass, RunState, Standing
from experiments.models import Benchmark, Experiment, Run
from metrics import wilson
from oversight.detectors import DETECTORS, Detector, ExperimentDetector, SessionDetector
from oversight.facts import Bits, SessionFacts, Upload
from oversight.models import Calibration
from oversight.selectors.experiment_facts import experiment_facts
from oversight.selectors.predictions import bits_of_runs
from oversight.selectors.references import References
from oversight.services.calibrations import store
from oversight.services.detectors import setting_of

_Kind = TypeVar("_Kind", bound=Detector[Any])

MOST_EXPERIMENTS = 1000  # of a benchmark, newest first
SESSIONS, SESSION_SIZE = 100, 40  # honest sessions, and uploads in each
FEWEST_RUNS = 20  # below that there is nothing to draw sessions from
MOST_RUNS = 600


@dataclass(frozen=True, slots=True)
class Measured:
    """How often a detector spoke against honest work. n: experiments or sessions in which it could have.

    left_out: scored experiments of the benchmark that do not count as honest, by reason.
    """

    detector: str
    benchmark: str
    n: int
    flags: int
    holds: int
    left_out: Mapping[str, int]

    @property
    def rate(self) -> float | None:
        """Share against which it said flag or hold."""
        return (self.flags + self.holds) / self.n if self.n else None

    @property
    def upper(self) -> float | None:
        """Upper end of the Wilson 95% interval of the rate."""
        interval = wilson(self.flags + self.holds, self.n)
        return interval[1] if interval else None


def calibrate(slugs: Sequence[str] = ()) -> list[Measured]:
    """Measure every detector on these benchmarks (all that are ready by default) and keep what came out.

    Honest: scored, and nothing is held or was decided against it or what it descends from. A detector counts what it
    applies to. Whoever judges holds before measuring measures right: a false hold that waits is left out, too.
    Opens ground truth: for the machine of an evaluation worker. Raises: GroundTruthError.
    """
    scoring.become_scorer()
    ready = Benchmark.objects.filter(state=BenchmarkState.READY)
    found: list[Measured] = []
    for benchmark in ready.filter(slug__in=slugs) if slugs else ready:
        measured = [*_on_experiments(benchmark), *_on_sessions(benchmark)]
        for each in measured:
            if each.n:
                _keep(benchmark, each)
        found += measured
    return found


def honest(benchmark: Benchmark) -> "QuerySet[Experiment]":
    """Scored experiments that count for what their method is: not held, judged or tainted."""
    return _scored(benchmark).filter(suspect="").order_by("-id")


def left_out(benchmark: Benchmark) -> dict[str, int]:
    """How many scored experiments are not honest, by reason; each once, by the gravest."""
    found = _scored(benchmark).exclude(suspect="").order_by("suspect").values_list("suspect")
    return dict(found.annotate(count=Count("pk")))


def _scored(benchmark: Benchmark) -> "QuerySet[Any]":
    """With `suspect`, why one is not honest. Standing follows every verdict, and its reversal."""
    gray = Q(standing=Standing.POLICY_GRAY)
    whens = [
        When(standing=Standing.DISQUALIFIED, then=Value("disqualified")),
        When(standing=Standing.UNDER_REVIEW, then=Value("under review")),
        When(standing=Standing.UNVERIFIED, then=Value("unverified")),
        When(tainted_by__isnull=False, then=Value("tainted")),
        When(gray & ~Q(method_class=MethodClass.POLICY_GRAY), then=Value("judged policy-gray")),
    ]
    rows = Experiment.objects.filter(benchmark=benchmark, state=ExperimentState.SCORED)
    return rows.annotate(suspect=Case(*whens, default=Value(""), output_field=CharField()))


def _on_experiments(benchmark: Benchmark) -> list[Measured]:
    detectors = _of(ExperimentDetector)  # type: ignore[type-abstract]
    counts = {detector.name: [0, 0, 0] for detector in detectors}
    for key in list(honest(benchmark).values_list("pk", flat=True)[:MOST_EXPERIMENTS]):
        facts = experiment_facts(key)
        if facts is None:
            continue
        for detector in detectors:
            if not detector.applies(facts):
                continue
            levels = {suspicion.level for suspicion in detector.inspect(facts)}
            count = counts[detector.name]
            count[0] += 1
            count[1] += "flag" in levels and "hold" not in levels
            count[2] += "hold" in levels
    return _measured(benchmark, counts)


def _on_sessions(benchmark: Benchmark) -> list[Measured]:
    """Honest sessions: real predictions of the benchmark's runs, in random order, as if they had been uploaded."""
    keys = honest(benchmark).values_list("pk", flat=True)[:MOST_EXPERIMENTS]
    runs = Run.objects.filter(experiment__in=list(keys), state=RunState.SCORED).order_by("-id")
    rows = list(runs.values_list("pk", "experiment_id", "dev_accuracy")[:MOST_RUNS])
    bits = bits_of_runs(pk for pk, _, _ in rows)
    known = [(bits[pk]["dev"], experiment, accuracy or 0.0) for pk, experiment, accuracy in rows if pk in bits]
    detectors = _of(SessionDetector)  # type: ignore[type-abstract]
    counts = {detector.name: [0, 0, 0] for detector in detectors}
    if len(known) >= FEWEST_RUNS:
        vectors, references = np.stack([each for each, _, _ in known]), References(benchmark)
        arms, near = agreements(benchmark, vectors), references.agreements(vectors)
        # an experiment is not measured by itself
        shares = [[*arms[row], *near[row][references.experiments != known[row][1]]] for row in range(len(known))]
        rng = np.random.default_rng(benchmark.pk)
        for _ in range(SESSIONS):
            drawn = rng.permutation(len(known))[:SESSION_SIZE]
            uploads = [_upload(q, known[row], shares[row]) for q, row in enumerate(drawn, start=1)]
            session = SessionFacts(benchmark=benchmark.slug, uploads=tuple(uploads))
            for detector in detectors:
                levels = {suspicion.level for suspicion in detector.inspect(session)}
                count = counts[detector.name]
                count[0] += 1
                count[1] += "flag" in levels and "hold" not in levels
                count[2] += "hold" in levels
    return _measured(benchmark, counts)


def _measured(benchmark: Benchmark, counts: Mapping[str, list[int]]) -> list[Measured]:
    suspect = left_out(benchmark)
    return [
        Measured(name, benchmark.slug, n=n, flags=flags, holds=holds, left_out=suspect)
        for name, (n, flags, holds) in counts.items()
    ]


def _upload(number: int, run: tuple[Bits, int, float], shares: list[float]) -> Upload:
    bits, submitter, accuracy = run
    return Upload(
        upload=number,
        evaluation=number,
        submitter=submitter,
        bits=bits,
        accuracy=accuracy,
        told=None,
        agreements=tuple(map(float, shares)),
    )


def _of(kind: type[_Kind]) -> list[_Kind]:
    chosen = [DETECTORS.get(name) for name in DETECTORS.names()]
    return [each(setting_of(each.name).overrides) for each in chosen if issubclass(each, kind)]


def _keep(benchmark: Benchmark, measured: Measured) -> Calibration:
    return store(
        detector=measured.detector,
        benchmark=benchmark,
        n=measured.n,
        threshold=None,
        false_positive_rate=measured.rate,
        details={
            "flags": measured.flags,
            "holds": measured.holds,
            "upper_95": measured.upper,
            "left_out": dict(measured.left_out),
            "of": "sessions" if issubclass(DETECTORS.get(measured.detector), SessionDetector) else "experiments",
            "thresholds": _thresholds(measured.detector),
        },
    )


def _thresholds(name: str) -> dict[str, object]:
    detector = DETECTORS.get(name)(setting_of(name).overrides)
    return detector.options.model_dump(mode="json")
