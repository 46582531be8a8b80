"""Teachers, ceiling, vanilla and control of a benchmark, kept on disk: predictions only, never a label."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from workers.w2s.arena import Arena, Arm, Teachers, method_digest, train_arm, train_teachers
from workers.w2s.problem import Floats
from workers.w2s.spec import Report, Split, silent

_ARMS: tuple[Arm, ...] = get_args(Arm)
_TEACHERS = (Split.STUDENT_TRAIN, Split.DEV, Split.HOLDOUT)
_TESTED = (Split.DEV, Split.HOLDOUT)


@dataclass(frozen=True, eq=False)
class Baselines:
    """weak: split -> (T, M) of the teachers. arms: ceiling, vanilla, control -> split -> (S, M). seeds: (S,)."""

    seeds: tuple[int, ...]
    weak: Mapping[Split, Floats]
    arms: Mapping[Arm, Mapping[Split, Floats]]


def baselines(
    arena: Arena,
    labels: Mapping[Split, NDArray[np.int8]],
    dataset_digest: str,
    *,
    seeds: int,
    cache_dir: Path,
    report: Report = silent,
) -> Baselines:
    """Train them once per content and number of seeds; numbered 0, 1, ... like the draws they stand for.

    As many teachers as the benchmark asks for, but not more than there are seeds.
    """
    spec, runs = arena.spec, tuple(range(seeds))
    teachers = min(spec.teachers, seeds)
    about = [spec.student, str(spec.weak), str(spec.strong), teachers, seeds, dataset_digest, arena.digests]
    key = hashlib.sha256(json.dumps([*about, method_digest("vanilla", {})]).encode()).hexdigest()[:40]
    path = cache_dir / "baselines" / f"{key}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.exists():
            taught = train_teachers(arena, labels[Split.TEACHER_TRAIN], range(teachers), report)
            truth = labels[Split.STUDENT_TRAIN]
            trained = {arm: train_arm(arena, truth, runs, arm, taught, report) for arm in _ARMS}
            _save(path, taught, trained)
    with np.load(path, allow_pickle=False) as stored:
        return Baselines(
            runs,
            {split: stored[f"weak/{split}"] for split in _TEACHERS},
            {arm: {split: stored[f"{arm}/{split}"] for split in _TESTED} for arm in _ARMS},
        )


def _save(path: Path, teachers: Teachers, trained: Mapping[Arm, Mapping[Split, Floats]]) -> None:
    arrays = {f"weak/{split}": teachers.probs[split] for split in _TEACHERS}
    arrays |= {f"{arm}/{split}": trained[arm][split] for arm in _ARMS for split in _TESTED}
    partial = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    with partial.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    partial.rename(path)
