"""A whole small world: a dataset of words, a tiny Llama, and methods that wait or fail; also loaded by real workers.

`celery -A aarweb worker -I tests.workers.world` carries what is registered here.
"""

import os
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from tests.w2s.tiny import SHADES, save_tiny
from workers.w2s.data import DATASETS
from workers.w2s.methods import METHODS, WEAK_LABELS, Method, StudentOptions
from workers.w2s.spec import Dataset, Item, Progress, Split

SIZES = {Split.TEACHER_TRAIN: 60, Split.STUDENT_TRAIN: 240, Split.DEV: 160, Split.HOLDOUT: 160}
MODEL = "tiny/deep"


def words() -> Dataset:
    """Pairs of words; the first is the better one where its number is smaller. A split's pairs are its own."""
    rng = np.random.default_rng(7)
    pairs = [(a, b) for a in range(len(SHADES)) for b in range(len(SHADES)) if a != b]
    order = rng.permutation(len(pairs))
    items, labels = [], []
    for split, size in SIZES.items():
        for _ in range(size):
            a, b = pairs[order[len(items)]]
            items.append(
                Item(split, f"which is the red of w{a % 7}", (SHADES[a], SHADES[b]), f"{min(a, b)}-{max(a, b)}")
            )
            labels.append(int(a < b))
    return Dataset("words", "1", "pair", "Splits share no ordered pair.", tuple(items), np.array(labels, np.int8))


class PatientOptions(StudentOptions):
    """Options of the patient method."""

    seconds: float = Field(0.0, ge=0, description="How long it waits before it trains.")
    error: str = Field("", description="What it fails with; empty to succeed.")
    marker: str = Field("", description="A file that it appends a line to when it starts.")


class Patient(Method):
    """Naive training after a wait, which a test uses to kill, cancel or outlive it; it asks at each tick if it may."""

    name: ClassVar[str] = "patient"
    title: ClassVar[str] = "Patient"
    summary: ClassVar[str] = "Waits, then trains on hard labels."
    source: ClassVar[str] = "tests"
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[PatientOptions]] = PatientOptions

    def fit(self, context, options):
        if options.marker:
            with Path(options.marker).open("a") as file:
                file.write(f"{os.getpid()}\n")
        ticks = int(options.seconds / 0.05)
        for tick in range(ticks):
            time.sleep(0.05)
            context.report(Progress("waiting", tick, ticks))
        if options.error:
            raise MemoryError(options.error)
        return context.student.fit((context.weak_probs > 0.5).astype(np.float32), context.weights, l2=options.l2)


def _register(registry, name, item) -> None:
    if name not in registry.names():
        registry.register(name)(item)


_register(DATASETS, "words", words)
_register(METHODS, "patient", Patient)


def save_model(cache_dir: Path) -> None:
    """The model of this world, where workers with that FEATURE_CACHE_DIR look for it."""
    if not (cache_dir / "models" / "hf" / MODEL).is_dir():
        save_tiny(cache_dir, name=MODEL, layers=4, seed=1)
