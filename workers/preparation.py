"""The steps of a preparation that need labels, on the evaluation queue: reading the data, measuring the baselines."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from experiments.models import Benchmark
from experiments.scoring import TrainedTeachers, freeze_baselines, store_labels, training_labels
from experiments.seeds import baseline_seeds
from experiments.services.preparation import (
    LABELLED_STEPS,
    NewItem,
    PreparationClaim,
    Step,
    claim_preparation,
    finish_items,
)
from workers.steps import run_step
from workers.w2s.arena import Arm, train_arm, train_teachers
from workers.w2s.data import DataError, load_dataset
from workers.w2s.spec import Dataset, Progress, Report, Split
from workers.warm import open_arena

TEST_SPLITS = (Split.DEV, Split.HOLDOUT)
STUDENT_ARMS: tuple[Arm, ...] = ("ceiling", "vanilla", "control")


def prepare_next(*, worker: str, slug: str) -> bool:
    """Claim a labelled step of the benchmark and do it. Returns: whether one was done."""
    claim = claim_preparation(worker=worker, slug=slug, steps=LABELLED_STEPS)
    if claim is None:
        return False
    return run_step(claim, partial(_STEPS[claim.step], claim))


def _read_items(claim: PreparationClaim, report: Report) -> None:
    benchmark = Benchmark.objects.get(pk=claim.benchmark_id)
    report(Progress("reading data", 0, 1))
    dataset = load_dataset(benchmark.dataset)
    checked = benchmark.provenance.get("dataset")
    if checked not in (None, dataset.digest):
        raise DataError(f"{benchmark.dataset} has changed since it was imported: import it again under a new slug")
    labels = store_labels(benchmark.slug, {split: dataset.labels[dataset.indices(split)] for split in Split})
    finish_items(
        claim=claim,
        kind=dataset.kind,
        version=dataset.version,
        split_rule=dataset.split_rule,
        dataset_digest=dataset.digest,
        items=_items_of(dataset),
        labels=labels,
    )


def _items_of(dataset: Dataset) -> list[NewItem]:
    """In the dataset's order, which within a split is the order of its labels too."""
    return [NewItem(item.split, item.question, list(item.responses), item.group) for item in dataset.items]


def _measure_baselines(claim: PreparationClaim, report: Report) -> None:
    benchmark = Benchmark.objects.get(pk=claim.benchmark_id)
    arena = open_arena(benchmark, report)
    labels = training_labels(benchmark)
    seeds = {
        arm: baseline_seeds(arm, benchmark.slug, benchmark.teachers if arm == "teacher" else benchmark.default_seeds)
        for arm in ("teacher", *STUDENT_ARMS)
    }
    report(Progress("training weak teachers", 0, 4))
    teachers = train_teachers(arena, labels["teacher_train"], seeds["teacher"], report)
    predictions: dict[str, dict[str, NDArray[np.float32]]] = {"weak": _test_probs(teachers.probs)}
    truth = labels["student_train"]
    for done, arm in enumerate(STUDENT_ARMS, start=1):
        report(Progress(f"training {arm}", done, 4))
        taught_by = None if arm == "ceiling" else teachers
        predictions[arm] = _test_probs(train_arm(arena, truth, seeds[arm], arm, taught_by, report))
    freeze_baselines(
        claim=claim,
        teachers=TrainedTeachers(seeds["teacher"], teachers.probs[Split.STUDENT_TRAIN]),
        predictions=predictions,
        groups={split: arena.inputs(split).groups for split in TEST_SPLITS},
        provenance={"baseline_digests": dict(arena.digests)},
    )


def _test_probs(probs: Mapping[Split, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    return {str(split): probs[split] for split in TEST_SPLITS}


_STEPS = {Step.ITEMS: _read_items, Step.BASELINES: _measure_baselines}
