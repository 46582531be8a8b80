"""Fine-tuning the real SmolLM2 for a few steps, and on a CUDA device where there is one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.lab.labs import CACHE
from tests.w2s.tiny import save_tiny
from workers.w2s.finetune.spec import FineTuneSpec
from workers.w2s.finetune.student import FineTuneStudent
from workers.w2s.problem import Floats, Inputs
from workers.w2s.spec import Item, ModelSpec, Split

CAPITALS = {
    "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid", "Portugal": "Lisbon",
    "Austria": "Vienna", "Greece": "Athens", "Poland": "Warsaw", "Hungary": "Budapest", "Sweden": "Stockholm",
    "Norway": "Oslo", "Finland": "Helsinki", "Denmark": "Copenhagen", "Ireland": "Dublin", "Russia": "Moscow",
    "Japan": "Tokyo", "China": "Beijing", "Egypt": "Cairo", "Kenya": "Nairobi", "Peru": "Lima",
    "Chile": "Santiago", "Cuba": "Havana", "Iran": "Tehran", "Iraq": "Baghdad",
}  # fmt: skip


def capitals(countries: list[str]) -> tuple[Inputs, Floats]:
    """Each country's capital against its successor's, in both orders in turn."""
    items, labels = [], []
    for i, country in enumerate(countries):
        right, wrong = CAPITALS[country], CAPITALS[countries[(i + 1) % len(countries)]]
        responses = (right, wrong) if i % 2 else (wrong, right)
        items.append(Item(Split.STUDENT_TRAIN, f"What is the capital of {country}?", responses, country))
        labels.append(i % 2)
    many = len(items)
    nothing = np.zeros((many, 1), dtype=np.float32)
    inputs = Inputs(
        items=tuple(items), features=nothing, depths={}, prior_log_odds=None, groups=np.arange(many, dtype=np.int64)
    )
    return inputs, np.array([labels], dtype=np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [20, 0])
def test_smollm_learns_from_eighteen_capitals_to_tell_the_others(tmp_path: Path, frozen: int) -> None:
    (CACHE / "models").mkdir(parents=True, exist_ok=True)
    (tmp_path / "models").symlink_to(CACHE / "models")  # converted once for all tests
    names = list(CAPITALS)
    (train, labels), (test, truth) = capitals(names[:18]), capitals(names[18:])
    spec = FineTuneSpec(model=ModelSpec("wheel", "smollm2-135m"), frozen_blocks=frozen, epochs=15, batch_items=18)
    student = FineTuneStudent(train, spec, seeds=(1,), cache_dir=tmp_path)
    predictor = student.fit(labels, np.ones_like(labels))
    losses = student.diary.curves[0].y[0]
    assert losses[0] == pytest.approx(np.log(2))  # a head of zeros has no opinion
    assert losses[-1] < 0.4
    assert ((predictor(test) > 0.5) == truth).mean() >= 5 / 6


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mode", ["lora", "full"])
def test_a_cuda_device_repeats_itself_to_the_bit(tmp_path: Path, mode: str) -> None:
    model = save_tiny(tmp_path, layers=3)
    inputs, labels = capitals(list(CAPITALS))
    spec = FineTuneSpec(model=model, mode=mode, rank=4, epochs=4, batch_items=8, learning_rate=1e-2)
    found = []
    for run in ("one", "other"):
        folder = tmp_path / run
        folder.mkdir()
        (folder / "models").symlink_to(tmp_path / "models")
        student = FineTuneStudent(inputs, spec, seeds=(1,), cache_dir=folder)
        found.append(student.fit(labels, np.ones_like(labels))(inputs))
    np.testing.assert_array_equal(*found)
