"""Predictions and ground truth become evaluations: the one importer of ground truth, for evaluation workers only."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from django.db import DatabaseError, transaction
from numpy.typing import NDArray

from experiments import ground_truth
from experiments.ground_truth import GroundTruthError, Sealed
from experiments.lifecycle import ExperimentState, RunState
from experiments.models import Baseline, Benchmark, Evaluation, Experiment, Prediction, Run, WeakTeacher
from experiments.scorecard import FrozenArms, RunScore, score_arm, score_runs, score_split
from experiments.services.preparation import PreparationClaim, finish_baselines
from experiments.services.states import move_experiment, move_runs, settle
from metrics import correctness
from transferstats.planning import detectable

log = logging.getLogger(__name__)

SCORER_VERSION = "1"  # part of every evaluation; raise it when the arithmetic changes
TEST_SPLITS = ("dev", "holdout")
WEAK, CEILING, VANILLA = Baseline.Arm.WEAK, Baseline.Arm.CEILING, Baseline.Arm.VANILLA


@dataclass(frozen=True, eq=False)
class TrainedTeachers:
    """Weak teachers of a benchmark. seeds: one each. probs: (teachers, student_train items), P(label = 1)."""

    seeds: Sequence[int]
    probs: NDArray[np.float32]


def become_scorer() -> None:
    """Declare that this process scores, so that it may open ground truth."""
    ground_truth.open_here()


def store_labels(slug: str, labels: Mapping[str, NDArray[np.int8]]) -> dict[str, str]:
    """Seal a dataset's labels, split by split. Returns: path and digest, for the benchmark's provenance."""
    return asdict(ground_truth.write(slug, "labels", {split: np.asarray(y, np.int8) for split, y in labels.items()}))


def training_labels(benchmark: Benchmark) -> dict[str, NDArray[np.int8]]:
    """Truth of teacher_train and student_train, for teachers and ceiling; never of a test split."""
    labels = ground_truth.read(_sealed(benchmark, "labels"))
    return {split: labels[split] for split in ("teacher_train", "student_train")}


def dev_labels_agreement(benchmark: Benchmark, bits: NDArray[Any]) -> tuple[NDArray[np.float64], int, str]:
    """Accuracy of uploaded 0/1 vectors on dev.

    bits: (items,) or (vectors, items). Returns: accuracy of each, number of items, digest of the ground truth.
    Raises: ValueError for vectors of another length; GroundTruthError.
    """
    sealed = _sealed(benchmark, "labels")
    labels = ground_truth.read(sealed)["dev"]
    return correctness(bits, labels).mean(axis=-1), len(labels), sealed.digest


def right_answers(benchmark: Benchmark, predictions: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.bool_]]:
    """Where predictions are right, split by split: for numbers about them, never to be stored.

    Raises: ValueError for vectors of another length; GroundTruthError.
    """
    labels = ground_truth.read(_sealed(benchmark, "labels"))
    return {split: correctness(probs, labels[split]) for split, probs in predictions.items()}


def right_answers_of(experiment: Experiment, split: str) -> NDArray[np.bool_]:
    """Where the scored runs of an experiment are right on a test split. Raises: GroundTruthError.

    Returns: (runs, items) in the order of their seeds; runs whose prediction is not intact are left out.
    """
    labels = ground_truth.read(_sealed(experiment.benchmark, "labels"))
    runs = list(experiment.runs.filter(state=RunState.SCORED).defer("curves", "log").order_by("seed_index"))
    probs = _predictions(runs, {each: len(labels[each]) for each in TEST_SPLITS})
    rows = [correctness(probs[run.pk][split].probs, labels[split]) for run in runs if run.pk in probs]
    return np.array(rows, dtype=bool).reshape(len(rows), len(labels[split]))


def freeze_baselines(
    *,
    claim: PreparationClaim,
    teachers: TrainedTeachers,
    predictions: Mapping[str, Mapping[str, NDArray[np.float32]]],
    groups: Mapping[str, NDArray[np.int64]],
    provenance: Mapping[str, Any],
) -> None:
    """Measure a benchmark's arms once and for all, and make it READY.

    predictions: arm -> split -> (seeds, items), for dev and holdout. groups: split -> (items,).
    What each arm got right, seed by seed, is sealed with the labels: a ceiling's answers nearly are the labels.
    Raises: LeaseLost, GroundTruthError.
    """
    benchmark = Benchmark.objects.get(pk=claim.benchmark_id)
    sealed_labels = _sealed(benchmark, "labels")
    labels = ground_truth.read(sealed_labels)
    correct = {
        (arm, split): correctness(probs, labels[split])
        for arm, by_split in predictions.items()
        for split, probs in by_split.items()
    }
    arrays = {f"{arm}_{split}": rows for (arm, split), rows in correct.items()}
    arrays |= {f"groups_{split}": np.asarray(groups[split], np.int64) for split in TEST_SPLITS}
    sealed = ground_truth.write(benchmark.slug, "baselines", arrays)
    with transaction.atomic():
        finish_baselines(claim=claim, provenance={**provenance, "baselines": asdict(sealed)})
        WeakTeacher.objects.bulk_create(_teacher(benchmark, *each) for each in enumerate(_pairs(teachers)))
        Baseline.objects.bulk_create(
            Baseline(
                benchmark=benchmark,
                arm=arm,
                split=split,
                provenance={"ground_truth": sealed_labels.digest, "scorer": SCORER_VERSION}
                | _planning(correct, arm, split, groups[split]),
                **asdict(score_arm(rows, groups[split])),
            )
            for (arm, split), rows in correct.items()
        )


def _planning(
    correct: Mapping[tuple[str, str], NDArray[np.bool_]], arm: str, split: str, groups: Any
) -> dict[str, Any]:
    """What plans of transfer studies start from, where labels may not be opened."""
    if arm != VANILLA:
        return {}
    arms = {name: correct[name, split] for name in (WEAK, VANILLA, CEILING)}
    found = detectable(
        weak=arms[WEAK], vanilla=arms[VANILLA], ceiling=arms[CEILING], seeds=len(arms[VANILLA]), groups=groups
    )
    return {"planning": {name: getattr(found, name) for name in ("disagreement", "design_effect", "seed_sd")}}


def score_experiment(experiment_id: int) -> bool:
    """Evaluate what waits, and when no run is left at work, sum the experiment up. Safe to repeat.

    Returns: whether there was anything to do. Ground truth that is missing or was tampered with fails the runs
    with that reason: a score against doubtful labels is worse than none. So does an error of the scorer's own, which
    is raised as well; only a database or a storage that is away is tried again.
    """
    try:
        return _score_waiting(experiment_id)
    except (DatabaseError, OSError):
        raise
    except Exception as error:
        _give_up(experiment_id, f"the scorer failed: {type(error).__name__}: {error}")
        raise


def _score_waiting(experiment_id: int) -> bool:
    with transaction.atomic():
        locked = Experiment.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        found = locked.select_related("benchmark", "submitter").filter(pk=experiment_id, state=ExperimentState.RUNNING)
        experiment = found.first()
        if experiment is None:
            return False
        runs = list(experiment.runs.select_for_update(no_key=True).defer("curves", "log").order_by("id"))
        waiting = [run for run in runs if run.state == RunState.EVALUATING]
        busy = any(run.state in (RunState.QUEUED, RunState.RUNNING) for run in runs)
        if busy and not waiting:
            return False
        try:
            _score(experiment, runs, waiting, busy=busy)
        except GroundTruthError as error:
            log.error("%s is not scored: %s", experiment, error)
            _refuse(experiment, runs, str(error))
        return True


def _give_up(experiment_id: int, reason: str) -> None:
    with transaction.atomic():
        locked = Experiment.objects.select_for_update(no_key=True, of=("self",)).select_related("benchmark")
        experiment = locked.filter(pk=experiment_id, state=ExperimentState.RUNNING).first()
        if experiment is not None:
            runs = experiment.runs.select_for_update(no_key=True).defer("curves", "log").order_by("id")
            _refuse(experiment, list(runs), reason)


def _refuse(experiment: Experiment, runs: Sequence[Run], reason: str) -> None:
    """What waits for a score fails. Runs scored earlier keep theirs, but then nothing can sum the experiment up."""
    waiting = [run for run in runs if run.state == RunState.EVALUATING]
    move_runs(experiment, waiting, RunState.FAILED, error=f"not scored: {reason}")
    if any(run.state == RunState.SCORED for run in runs):
        move_experiment(experiment, ExperimentState.FAILED, error=f"not scored: {reason}")
    else:
        settle(experiment)


def _score(experiment: Experiment, runs: list[Run], waiting: list[Run], *, busy: bool) -> None:
    benchmark = experiment.benchmark
    sealed = _sealed(benchmark, "labels")
    labels = ground_truth.read(sealed)
    arms = frozen_arms(benchmark)
    finished = [run for run in runs if run.state in (RunState.EVALUATING, RunState.SCORED)]
    probs = _predictions(finished, {split: len(labels[split]) for split in TEST_SPLITS})
    broken = [run for run in finished if run.pk not in probs]
    finished = [run for run in finished if run.pk in probs]
    correct = {
        split: np.stack([correctness(probs[run.pk][split].probs, labels[split]) for run in finished])
        for split in TEST_SPLITS
        if finished
    }
    fresh = [run for run in waiting if run.pk in probs]
    scores = {split: dict(zip(finished, score_runs(correct[split], arms[split]), strict=True)) for split in correct}
    _record_runs(experiment, fresh, scores, probs, sealed)
    if fresh:
        move_runs(experiment, fresh, RunState.SCORED)
    for run in broken:
        move_runs(experiment, [run], RunState.FAILED, error="not scored: its predictions do not fit the benchmark")
    if busy:
        return
    if not finished:
        settle(experiment)
        return
    failed = experiment.seeds - len(finished)
    indices = [run.seed_index for run in finished]
    dev, holdout = (score_split(correct[split], indices, arms[split], failed=failed) for split in TEST_SPLITS)
    move_experiment(
        experiment,
        ExperimentState.SCORED,
        told={"dev_pgr": dev.pgr, "dev_accuracy": dev.accuracy},
        dev_accuracy=dev.accuracy,
        dev_pgr=dev.pgr,
        dev_score=dev.stored,
        holdout_accuracy=holdout.accuracy,
        holdout_pgr=holdout.pgr,
        holdout_score=holdout.stored,
    )


@dataclass(frozen=True, eq=False)
class _Read:
    """A stored prediction, checked against its digest."""

    probs: NDArray[np.float32]
    digest: str


def _predictions(runs: Sequence[Run], sizes: Mapping[str, int]) -> dict[int, dict[str, _Read]]:
    """Run id -> split -> prediction; runs whose predictions are missing, damaged or misshapen are left out."""
    found: dict[int, dict[str, _Read]] = {}
    for row in Prediction.objects.filter(run__in=runs, split__in=TEST_SPLITS):
        content = bytes(row.probs)
        probs = np.frombuffer(content, dtype="<f4") if len(content) % 4 == 0 else np.empty(0, np.float32)
        intact = hashlib.sha256(content).hexdigest() == row.digest
        if intact and len(probs) == sizes[row.split] and np.isfinite(probs).all():
            found.setdefault(row.run_id, {})[row.split] = _Read(probs, row.digest)
    return {run_id: splits for run_id, splits in found.items() if len(splits) == len(TEST_SPLITS)}


def _record_runs(
    experiment: Experiment,
    runs: Sequence[Run],
    scores: Mapping[str, Mapping[Run, RunScore]],
    probs: Mapping[int, Mapping[str, _Read]],
    sealed: Sealed,
) -> None:
    Evaluation.objects.bulk_create(
        Evaluation(
            benchmark=experiment.benchmark,
            run=run,
            submitter=experiment.submitter,
            split=split,
            verified=True,
            predictions_digest=probs[run.pk][split].digest,
            n_items=len(probs[run.pk][split].probs),
            accuracy=scores[split][run].accuracy,
            pgr=scores[split][run].pgr,
            reported_pgr=scores[split][run].pgr if split == "dev" else None,
            scorer_version=SCORER_VERSION,
            ground_truth_digest=sealed.digest,
        )
        for run in runs
        for split in TEST_SPLITS
    )
    for run in runs:
        run.dev_accuracy, run.dev_pgr = scores["dev"][run].accuracy, scores["dev"][run].pgr
        run.holdout_accuracy, run.holdout_pgr = scores["holdout"][run].accuracy, scores["holdout"][run].pgr
    Run.objects.bulk_update(runs, ["dev_accuracy", "dev_pgr", "holdout_accuracy", "holdout_pgr"])


def frozen_arms(benchmark: Benchmark) -> dict[str, FrozenArms]:
    """What each arm got right on dev and holdout. Raises: GroundTruthError."""
    stored = ground_truth.read(_sealed(benchmark, "baselines"))
    return {
        split: FrozenArms(
            weak=stored[f"{WEAK}_{split}"].astype(bool),
            ceiling=stored[f"{CEILING}_{split}"].astype(bool),
            vanilla=stored[f"{VANILLA}_{split}"].astype(bool),
            groups=stored[f"groups_{split}"],
        )
        for split in TEST_SPLITS
    }


def _sealed(benchmark: Benchmark, kind: str) -> Sealed:
    if kind not in benchmark.provenance:
        raise GroundTruthError(f"benchmark {benchmark.slug} has no {kind} yet")
    return Sealed(**benchmark.provenance[kind])


def _pairs(teachers: TrainedTeachers) -> list[tuple[int, NDArray[np.float32]]]:
    return list(zip(teachers.seeds, teachers.probs, strict=True))


def _teacher(benchmark: Benchmark, index: int, pair: tuple[int, NDArray[np.float32]]) -> WeakTeacher:
    content = np.ascontiguousarray(pair[1], dtype="<f4").tobytes()
    digest = hashlib.sha256(content).hexdigest()
    return WeakTeacher(benchmark=benchmark, index=index, seed=pair[0], probs=content, digest=digest)
