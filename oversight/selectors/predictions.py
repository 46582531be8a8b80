"""Stored predictions as 0/1 vectors, and the texts of test items."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from experiments.models import Benchmark, Item, Prediction, Upload
from oversight.facts import Bits, ItemText

Splits = dict[str, Bits]


def bits_of_runs(runs: Iterable[int]) -> dict[int, Splits]:
    """Run id -> split -> (items,), for runs that have predictions on both splits."""
    found: dict[int, Splits] = {}
    rows = Prediction.objects.filter(run__in=list(runs), split__in=("dev", "holdout"))
    for run, split, probs in rows.values_list("run_id", "split", "probs"):
        found.setdefault(run, {})[split] = np.frombuffer(bytes(probs), dtype="<f4") >= 0.5
    return {run: splits for run, splits in found.items() if len(splits) == 2}


def bits_of_upload(upload: Upload) -> Bits:
    """(items,) of an uploaded vector."""
    packed = np.frombuffer(bytes(upload.predictions), dtype=np.uint8)
    return np.unpackbits(packed, count=upload.n_items).astype(bool)


def texts(benchmark: Benchmark, split: str) -> tuple[ItemText, ...]:
    """The items of a split in the order of positions; a READY benchmark's never change."""
    return _texts(benchmark.pk, split)


@lru_cache(maxsize=8)
def _texts(benchmark_id: int, split: str) -> tuple[ItemText, ...]:
    rows = Item.objects.filter(benchmark=benchmark_id, split=split).order_by("position")
    groups: dict[str, int] = {}
    return tuple(
        ItemText(question, tuple(responses), groups.setdefault(group, len(groups)))
        for question, responses, group in rows.values_list("question", "responses", "group")
    )
