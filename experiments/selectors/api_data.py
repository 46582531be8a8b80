"""Inputs and weak labels for those who train outside, a chunk of lines at a time; never a label, never the holdout."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from experiments.errors import InvalidInput, NotFound, NotReady
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark, Item, WeakTeacher

# The only names the data endpoint knows, and the split behind each
PARTS = {"train": "student_train", "dev": "dev"}
CHUNK = 1000  # lines read and sent at once


def check_data(benchmark: Benchmark, part: str) -> str:
    """The split behind a part. Raises: NotFound, NotReady."""
    if part not in PARTS:
        raise NotFound(f"there is no data {part!r}; there are: {', '.join(PARTS)}")
    if benchmark.state != BenchmarkState.READY:
        raise NotReady(f"{benchmark.slug} is {benchmark.state}: its data can be read once it is ready")
    return PARTS[part]


def weak_probs(benchmark: Benchmark, teacher: int) -> list[float]:
    """One P(label = 1) per student_train item. Raises: InvalidInput for a teacher that does not exist."""
    found = WeakTeacher.objects.filter(benchmark=benchmark, index=teacher).first()
    if found is None:
        indices = list(
            WeakTeacher.objects.filter(benchmark=benchmark).order_by("index").values_list("index", flat=True)
        )
        allowed = f"0 to {indices[-1]}" if indices else "none: this benchmark has no teachers"
        raise InvalidInput(f"there is no teacher {teacher}; there are: {allowed}", pointer="?teacher")
    # the shortest text that names the same float32: half the bytes of what a double would print
    return [float(str(prob)) for prob in np.frombuffer(found.probs, dtype=np.float32)]


def data_chunks(benchmark: Benchmark, split: str, probs: list[float] | None) -> Iterator[bytes]:
    """NDJSON of a split in the order of positions, CHUNK lines at a time.

    probs: weak labels to put beside the inputs, None for none. Groups are numbered as they come: their names may
    hold an answer.
    """
    groups: dict[str, int] = {}
    after = -1
    while True:
        rows = Item.objects.filter(benchmark=benchmark, split=split, position__gt=after).order_by("position")
        chunk = list(rows.values_list("position", "question", "responses", "group")[:CHUNK])
        if not chunk:
            return
        yield b"".join(_line(row, groups, probs) for row in chunk)
        after = chunk[-1][0]


def _line(row: tuple[int, str, list[str], str], groups: dict[str, int], probs: list[float] | None) -> bytes:
    position, question, responses, group = row
    line: dict[str, Any] = {
        "position": position,
        "question": question,
        "responses": responses,
        "group": groups.setdefault(group, len(groups)),
    }
    if probs is not None:
        line |= {"weak_prob": probs[position], "weak_label": int(probs[position] >= 0.5)}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
