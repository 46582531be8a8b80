"""A benchmark in memory: features that tell the label, a weak teacher that often does; enough to run code on."""

from dataclasses import dataclass

import numpy as np

from workers.w2s.problem import Inputs
from workers.w2s.spec import BenchmarkSpec, Item, ModelSpec, Split

SIZES = {Split.STUDENT_TRAIN: 120, Split.DEV: 40, Split.HOLDOUT: 50}


@dataclass
class Benchmark:
    """What run_code_method asks of an arena, and the labels beside it, for the tests alone."""

    spec: BenchmarkSpec
    parts: dict[Split, Inputs]
    labels: dict[Split, np.ndarray]

    def inputs(self, split):
        return self.parts[split]


def make_benchmark(student="probe", features=8):
    generator = np.random.default_rng(0)
    direction = generator.normal(size=features)
    parts, labels = {}, {}
    for split, size in SIZES.items():
        states = generator.normal(size=(size, features)).astype(np.float32)
        labels[split] = (states @ direction > 0).astype(np.int8)
        groups = np.arange(size) // 2 + 1000 * list(SIZES).index(split)
        items = tuple(
            Item(split, f"question {split} {row}", ("yes", "no"), f"g{group}") for row, group in enumerate(groups)
        )
        parts[split] = Inputs(
            items=items,
            features=states,
            depths={2: states[:, :3].copy(), 4: states * 2},
            prior_log_odds=(states @ direction).astype(np.float32),
            groups=groups,
        )
    model = ModelSpec("wheel", "none")
    spec = BenchmarkSpec("memory", "In memory", "", "none", model, model, student=student)
    return Benchmark(spec, parts, labels)


def weak_labels(benchmark, teachers=2):
    """(T, N) right three times out of four."""
    generator = np.random.default_rng(1)
    truth = benchmark.labels[Split.STUDENT_TRAIN]
    right = generator.random((teachers, len(truth))) < 0.75
    return np.where(right == truth, 0.9, 0.1).astype(np.float32)
