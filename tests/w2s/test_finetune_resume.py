"""A fine-tuning that was killed goes on from its last checkpoint and ends with the same bits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.w2s.tiny import save_tiny
from workers.w2s.finetune.spec import FineTuneSpec
from workers.w2s.finetune.student import FineTuneStudent
from workers.w2s.objectives import LogConfidence
from workers.w2s.problem import Floats, Inputs
from workers.w2s.spec import Item, ModelSpec, Progress, Report, Split, silent

MANY = 40
ROOT = Path(__file__).resolve().parents[2]
IN_A_PROCESS = """
import sys
from pathlib import Path
from tests.w2s.test_finetune_resume import learn
learn(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
"""


class Interrupted(Exception):
    """What the tests raise in the middle of a training."""


def inputs() -> Inputs:
    generator = np.random.default_rng(0)
    items = tuple(
        Item(Split.STUDENT_TRAIN, "the ?", (f"w{generator.integers(40)}", f"w{generator.integers(40)}"), str(i))
        for i in range(MANY)
    )
    nothing = np.zeros((MANY, 1), dtype=np.float32)
    return Inputs(items=items, features=nothing, depths={}, prior_log_odds=None, groups=np.arange(MANY))


def learn(
    cache_dir: Path, mode: str, epochs: int, *, report: Report = silent, save_seconds: float = 0.0
) -> tuple[Floats, FineTuneStudent]:
    """Train two seeds, a checkpoint after every step; their predictions."""
    spec = FineTuneSpec(
        model=ModelSpec("hf", "tiny/llama"), mode=mode, frozen_blocks=1, rank=4, epochs=epochs, learning_rate=1e-2
    )
    student = FineTuneStudent(
        inputs(), spec, seeds=(1, 2), cache_dir=cache_dir, report=report, save_seconds=save_seconds
    )
    targets = np.random.default_rng(1).random((2, MANY)).astype(np.float32)
    predictor = student.fit(targets, np.ones_like(targets), objective=LogConfidence())
    return predictor(inputs()), student


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "one", tmp_path / "other"
    for folder in made:
        save_tiny(folder)
    return made


@pytest.mark.parametrize("mode", ["lora", "full"])
def test_an_interrupted_training_goes_on_where_it_was(folders: tuple[Path, Path], mode: str) -> None:
    whole, other = folders
    expected, uninterrupted = learn(whole, mode, 3)
    steps = 3 * 2  # of one seed: 40 items in batches of 32

    def interrupt(progress: Progress) -> None:
        if progress.stage == "fine-tuning" and progress.done == steps + 4:
            raise Interrupted

    with pytest.raises(Interrupted):
        learn(other, mode, 3, report=interrupt)
    assert len(list(other.glob("finetuned/*.unfinished"))) == 1
    told: list[int] = []
    found, resumed = learn(other, mode, 3, report=lambda p: told.append(p.done) if p.stage == "fine-tuning" else None)
    assert told == [steps + 4, steps + 5, steps + 6]  # the interrupt came before its step was saved
    np.testing.assert_array_equal(found, expected)
    assert resumed.diary.curves == uninterrupted.diary.curves
    assert not list(other.glob("finetuned/*.unfinished"))


def test_a_finished_training_is_not_repeated(folders: tuple[Path, Path]) -> None:
    expected, _ = learn(folders[0], "lora", 1)
    told: list[Progress] = []
    again, student = learn(folders[0], "lora", 1, report=told.append)
    assert not [progress for progress in told if progress.stage == "fine-tuning"]
    np.testing.assert_array_equal(again, expected)
    assert student.diary.curves


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["lora", "full"])
def test_a_killed_process_loses_nothing_and_changes_nothing(folders: tuple[Path, Path], mode: str) -> None:
    whole, other = folders
    epochs = 150
    command = [sys.executable, "-c", IN_A_PROCESS, str(other), mode, str(epochs)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 120
    while not list(other.glob("finetuned/*.unfinished")) and time.monotonic() < deadline:
        assert process.poll() is None, "the training ended before it could be killed"
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(list(other.glob("finetuned/*.unfinished"))) == 1
    told: list[int] = []
    found, _ = learn(other, mode, epochs, report=lambda p: told.append(p.done) if p.stage == "fine-tuning" else None)
    assert 1 < told[0] <= 2 * epochs  # the killed process had come some way
    np.testing.assert_array_equal(found, learn(whole, mode, epochs, save_seconds=1e9)[0])
