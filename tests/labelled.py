"""Benchmarks with sealed labels, and training by hand: the real services, with predictions of a chosen accuracy."""

import numpy as np

from experiments import scoring
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark, Experiment
from experiments.services import preparation, runs
from experiments.services.preparation import Step
from tests.factories import make_benchmark

WEAK, VANILLA, CEILING = 0.6, 0.7, 0.85
ITEMS = 200  # per test split


def labels_of(slug: str, split: str, items: int = ITEMS) -> np.ndarray:
    """The hidden labels, known to the test: half ones, in an order that depends on slug and split alone."""
    rng = np.random.default_rng([len(slug), len(split)])
    return rng.permutation(np.arange(items) % 2).astype(np.int8)


def answers_of(labels: np.ndarray, accuracy: float, seeds: int, start: int = 0) -> np.ndarray:
    """(seeds, items) float32 probabilities, each row right on exactly round(accuracy * items) items of its own draw."""
    rows = []
    for seed in range(start, start + seeds):
        right = np.random.default_rng(seed).permutation(len(labels)) < round(accuracy * len(labels))
        rows.append(np.where(right, labels, 1 - labels) * 0.8 + 0.1)
    return np.asarray(rows, dtype=np.float32)


def make_labelled_benchmark(
    slug: str = "geography", *, teachers: int = 4, seeds: int = 4, items: int = ITEMS, **fields
) -> Benchmark:
    """READY by the real steps: labels sealed, arms frozen with accuracies WEAK, VANILLA and CEILING."""
    scoring.become_scorer()
    fields |= {"teachers": teachers, "default_seeds": seeds}
    benchmark = make_benchmark(slug, state=BenchmarkState.PREPARING, items=False, baselines=False, **fields)
    splits = {split: labels_of(slug, split, items) for split in ("teacher_train", "student_train", "dev", "holdout")}
    claim = claimed(slug, Step.ITEMS)
    preparation.finish_items(
        claim=claim, kind="pair", version="1", split_rule="Splits share no question.", dataset_digest="d" * 64,
        items=[
            preparation.NewItem(split, f"{split} question {i}", ["yes", "no"], f"{split}-{i // 2}")
            for split, labels in splits.items()
            for i in range(len(labels))
        ],
        labels=scoring.store_labels(slug, splits),
    )  # fmt: skip
    preparation.finish_features(claim=claimed(slug, Step.FEATURES), provenance={"weights": "w" * 64})
    tests = {split: splits[split] for split in ("dev", "holdout")}
    scoring.freeze_baselines(
        claim=claimed(slug, Step.BASELINES),
        teachers=scoring.TrainedTeachers(range(teachers), answers_of(splits["student_train"], WEAK, teachers)),
        predictions={
            arm: {split: answers_of(labels, accuracy, count, start) for split, labels in tests.items()}
            for arm, accuracy, count, start in [
                ("weak", WEAK, teachers, 0), ("ceiling", CEILING, seeds, 100), ("vanilla", VANILLA, seeds, 200),
                ("control", WEAK, seeds, 300),
            ]
        },
        groups={split: np.arange(len(labels)) // 2 for split, labels in tests.items()},
        provenance={"baseline_digests": {"features": "f" * 64}},
    )  # fmt: skip
    benchmark.refresh_from_db()
    return benchmark


def claimed(slug: str, step: Step) -> preparation.PreparationClaim:
    """The next step, which must be this one."""
    claim = preparation.claim_preparation(worker="evaluation@test", slug=slug, steps=[step])
    assert claim is not None
    return claim


def trained(claim: runs.Claim, accuracy: float = 0.75, items: int = ITEMS) -> runs.Trained:
    """What a worker would hand over: predictions of exactly this accuracy on both splits."""
    predictions = {
        split: answers_of(labels_of(claim.benchmark, split, items), accuracy, len(claim.seeds), 400)
        for split in ("dev", "holdout")
    }
    count = len(claim.seeds)
    return runs.Trained(predictions=predictions, curves=[[]] * count, logs=["trained by hand"] * count, seconds=0.5)


def train_by_hand(experiment: Experiment, accuracy: float = 0.75, *, score: bool = True) -> Experiment:
    """Claim the experiment's runs, hand predictions over, and have them scored."""
    claim = runs.claim_runs(worker="gpu@test", experiment_id=experiment.pk)
    assert claim is not None
    runs.record_predictions(claim=claim, trained=trained(claim, accuracy))
    if score:
        assert scoring.score_experiment(experiment.pk)
    experiment.refresh_from_db()
    return experiment
