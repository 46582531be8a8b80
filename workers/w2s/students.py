"""Makes the student that a benchmark prescribes: a head on frozen features, or a fine-tuned network."""

from collections.abc import Sequence
from pathlib import Path

from workers.w2s.heads import ProbeStudent
from workers.w2s.problem import Inputs, Student
from workers.w2s.spec import BenchmarkSpec, Report, SpecError, silent


def make_student(
    spec: BenchmarkSpec, inputs: Inputs, *, cache_dir: Path, seeds: Sequence[int], report: Report = silent
) -> Student:
    """The student of `spec.student` that learns from `inputs`; training items only.

    seeds: one per run. Probes have a unique optimum and need none; fine-tuning draws order and adapters from them.
    """
    if spec.student == "probe":
        return ProbeStudent(inputs)
    raise SpecError(f"{spec.slug}: student {spec.student!r} is not built yet")
