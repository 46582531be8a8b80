"""Benchmarks that this process keeps open, so that an experiment starts without loading anything again."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from experiments.models import Benchmark, Item, WeakTeacher
from workers.w2s.arena import Arena
from workers.w2s.spec import BenchmarkSpec, ModelSpec, Report, Split, silent
from workers.w2s.spec import Item as InputItem

MOST_OPEN = 3  # features of a small benchmark are tens of MB, of a big one hundreds


@dataclass(frozen=True, eq=False)
class Opened:
    """A benchmark without labels. weak_probs: (teachers, student_train items); no rows before there are teachers."""

    arena: Arena
    weak_probs: NDArray[np.float32]


_open: OrderedDict[tuple[int, str], Opened] = OrderedDict()
_lock = threading.Lock()


def opened(benchmark_id: int, report: Report = silent) -> Opened:
    """A READY benchmark, from memory if this process has it open; the least recently used one makes room."""
    row = Benchmark.objects.get(pk=benchmark_id)
    key = (row.pk, str(row.ready_at))
    with _lock:
        if key not in _open:
            _open[key] = Opened(open_arena(row, report), _weak_probs(row))
            while len(_open) > MOST_OPEN:
                _open.popitem(last=False)
        _open.move_to_end(key)
        return _open[key]


def open_arena(row: Benchmark, report: Report = silent) -> Arena:
    """Its arena, features extracted or mapped from the cache."""
    return Arena.open(spec_of(row), input_items(row), cache_dir=settings.FEATURE_CACHE_DIR, report=report)


def spec_of(row: Benchmark) -> BenchmarkSpec:
    """The row as the science reads it. Raises: SpecError."""
    return BenchmarkSpec(
        slug=row.slug,
        title=row.title,
        description=row.description,
        dataset=row.dataset,
        weak=ModelSpec.parse(row.weak_model),
        strong=ModelSpec.parse(row.strong_model),
        student=row.student,  # type: ignore[arg-type]
        offers=tuple(row.offers),
        teachers=row.teachers,
        seeds=row.default_seeds,
        on_demand=row.on_demand,
    )


def input_items(row: Benchmark) -> dict[Split, list[InputItem]]:
    """Every split's items in the order of their positions."""
    items: dict[Split, list[InputItem]] = {split: [] for split in Split}
    rows = Item.objects.filter(benchmark=row).order_by("split", "position")
    for split, question, responses, group in rows.values_list("split", "question", "responses", "group").iterator():
        items[Split(split)].append(InputItem(Split(split), question, tuple(responses), group))
    return items


def _weak_probs(row: Benchmark) -> NDArray[np.float32]:
    stored = WeakTeacher.objects.filter(benchmark=row).order_by("index").values_list("probs", flat=True)
    return np.stack([np.frombuffer(bytes(probs), dtype="<f4") for probs in stored])
