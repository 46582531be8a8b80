"""Makes the student that a benchmark prescribes: a head on frozen features, or a fine-tuned network."""

from collections.abc import Sequence
from pathlib import Path

from workers.w2s.checkpoints import identify
from workers.w2s.finetune.spec import FineTuneSpec
from workers.w2s.finetune.student import FineTuneStudent
from workers.w2s.heads import ProbeStudent
from workers.w2s.models import blocks_of
from workers.w2s.problem import Inputs, Student
from workers.w2s.spec import BenchmarkSpec, ModelSpec, Report, silent

FULL_LEARNING_RATE = 1e-5  # openai/weak-to-strong, for its larger models; all weights move, so less than adapters


def make_student(
    spec: BenchmarkSpec, inputs: Inputs, *, cache_dir: Path, seeds: Sequence[int], report: Report = silent
) -> Student:
    """The student of `spec.student`, which learns from `inputs`: training items only.

    seeds: one per run. Probes have a unique optimum and need none; fine-tuning draws order and adapters from them.
    Raises: models.ModelError, checkpoints.CheckpointMissing.
    """
    if spec.student == "probe":
        return ProbeStudent(inputs)
    blocks = blocks_of(spec.strong, identify(spec.strong.whole, cache_dir=cache_dir, report=report))
    protocol = finetuning_protocol(spec.strong, blocks, full=spec.student == "full")
    return FineTuneStudent(inputs, protocol, seeds=seeds, cache_dir=cache_dir, report=report)


def finetuning_protocol(model: ModelSpec, blocks: int, *, full: bool) -> FineTuneSpec:
    """The fixed hyper-parameters of a fine-tuning benchmark: methods compete under equal ones.

    blocks: how many of the model run. Models out of wheels are there for machines without a GPU: of them only the
    upper third learns, from cached states of the lower two thirds. All blocks of the others learn.
    """
    frozen = 2 * blocks // 3 if model.source == "wheel" else 0
    if full:
        return FineTuneSpec(model=model, mode="full", frozen_blocks=frozen, learning_rate=FULL_LEARNING_RATE)
    return FineTuneSpec(model=model, mode="lora", frozen_blocks=frozen)
