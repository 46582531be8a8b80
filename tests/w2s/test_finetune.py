"""The fine-tuned student on tiny Llamas: learning, determinism, antisymmetry, cross-fitting."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.w2s.tiny import save_tiny
from workers.w2s.finetune.spec import FineTuneSpec
from workers.w2s.finetune.student import FineTuneStudent
from workers.w2s.heads import question_folds
from workers.w2s.objectives import CROSS_ENTROPY, LogConfidence
from workers.w2s.problem import Floats, Inputs
from workers.w2s.spec import Item, ModelSpec, Progress, SpecError, Split

MANY = 96


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    save_tiny(folder, layers=3)
    return folder


def make_problem(kind: str = "pair") -> tuple[Inputs, Floats]:
    """Which of two numbered words is smaller, or is it below 20; two items a question."""
    generator = np.random.default_rng(0)
    items, labels = [], []
    for i in range(MANY):
        first, second = (int(n) for n in generator.choice(40, 2, replace=False))
        responses = (f"w{first}", f"w{second} hot") if kind == "pair" else (f"w{first}",)
        items.append(Item(Split.STUDENT_TRAIN, f"the w{i // 2 % 40} of red ?", responses, f"question {i // 2}"))
        labels.append(first < second if kind == "pair" else first < 20)
    nothing = np.zeros((MANY, 1), dtype=np.float32)
    inputs = Inputs(items=tuple(items), features=nothing, depths={}, prior_log_odds=None, groups=np.arange(MANY) // 2)
    return inputs, np.array(labels, dtype=np.float32)


def tiny_spec(**changes: object) -> FineTuneSpec:
    small = FineTuneSpec(
        model=ModelSpec("hf", "tiny/llama"),
        rank=4,
        learning_rate=1e-2,
        head_learning_rate=1e-2,
        epochs=6,
        batch_items=16,
    )
    return replace(small, **changes)


@pytest.fixture
def make(cache_dir: Path, tmp_path: Path) -> Callable[..., FineTuneStudent]:
    """A student with a results folder of its own, so that nothing is found trained already."""

    def build(inputs: Inputs, *, seeds: tuple[int, ...] = (1,), report=lambda _: None, **changes: object):
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "models").symlink_to(cache_dir / "models")
        return FineTuneStudent(inputs, tiny_spec(**changes), seeds=seeds, cache_dir=folder, report=report)

    return build


MODES = [("lora", 0), ("lora", 2), ("full", 0), ("full", 2)]


@pytest.mark.parametrize(("mode", "frozen"), MODES)
@pytest.mark.parametrize("kind", ["pair", "claim"])
def test_a_student_learns_what_it_is_taught(make, mode: str, frozen: int, kind: str) -> None:
    inputs, labels = make_problem(kind)
    student = make(inputs, mode=mode, frozen_blocks=frozen, epochs=20)
    probs = student.fit(labels[None], np.ones((1, MANY), np.float32))(inputs)
    assert probs.shape == (1, MANY)
    assert probs.dtype == np.float32
    assert ((probs[0] > 0.5) == labels).mean() > 0.8
    (curve,) = student.diary.curves
    assert curve.x[-1] == 1
    assert curve.y[0][0] > 0.6 > curve.y[0][-1]


@pytest.mark.parametrize(("mode", "frozen"), MODES)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(make, mode: str, frozen: int) -> None:
    inputs, labels = make_problem()
    targets, weights = np.stack([labels] * 3), np.ones((3, MANY), np.float32)
    probs = make(inputs, seeds=(5, 6, 5), mode=mode, frozen_blocks=frozen, epochs=2).fit(targets, weights)(inputs)
    again = make(inputs, seeds=(5,), mode=mode, frozen_blocks=frozen, epochs=2).fit(targets[:1], weights[:1])(inputs)
    np.testing.assert_array_equal(probs[0], probs[2])
    np.testing.assert_array_equal(probs[0], again[0])
    assert np.abs(probs[0] - probs[1]).max() > 1e-3


def test_swapping_the_responses_turns_the_answer_round(make) -> None:
    inputs, labels = make_problem()
    predictor = make(inputs, frozen_blocks=1, epochs=2).fit(labels[None], np.ones((1, MANY), np.float32))
    swapped = replace(inputs, items=tuple(replace(item, responses=item.responses[::-1]) for item in inputs.items))
    np.testing.assert_allclose(predictor(inputs), 1 - predictor(swapped), atol=0.02)


def test_an_untrained_student_has_no_opinion_and_items_of_weight_zero_teach_nothing(make) -> None:
    inputs, labels = make_problem()
    timid = make(inputs, learning_rate=1e-12, head_learning_rate=1e-12, epochs=1)
    probs = timid.fit(labels[None], np.ones((1, MANY), np.float32))(inputs)
    np.testing.assert_allclose(probs, 0.5, atol=1e-5)
    weights = np.float32([np.arange(MANY) % 3 > 0])
    lied = np.where(weights > 0, labels, 1 - labels)
    one = make(inputs, epochs=2).fit(labels[None], weights)(inputs)
    np.testing.assert_array_equal(one, make(inputs, epochs=2).fit(lied, weights)(inputs))


def test_only_ratios_of_weights_matter(make) -> None:
    inputs, labels = make_problem()
    weights = np.float32([1 + np.arange(MANY) % 2])
    one = make(inputs, epochs=2).fit(labels[None], weights)(inputs)
    np.testing.assert_allclose(one, make(inputs, epochs=2).fit(labels[None], 4 * weights)(inputs), atol=1e-6)
    even = make(inputs, epochs=2).fit(labels[None], np.ones((1, MANY), np.float32))(inputs)
    assert np.abs(one - even).max() > 1e-3


def test_cross_fitting_trains_one_student_per_fold_on_the_other_questions(make) -> None:
    inputs, labels = make_problem()
    weights = np.ones((1, MANY), np.float32)
    student = make(inputs, frozen_blocks=2, epochs=2)
    probs = student.cross_fit(labels[None], weights, folds=3)
    fold = question_folds(inputs.groups, 3)
    for k in range(3):
        alone = make(inputs, frozen_blocks=2, epochs=2).fit(labels[None], weights * (fold != k))(inputs)
        np.testing.assert_allclose(probs[0, fold == k], alone[0, fold == k], atol=1e-2)
    np.testing.assert_array_equal(probs, student.cross_fit(labels[None], weights, folds=3))


def test_an_objective_that_compares_items_sees_the_whole_batch_even_in_several_passes(make, monkeypatch) -> None:
    inputs, labels = make_problem()
    weights = np.ones((1, MANY), np.float32)
    seen: list[int] = []
    monkeypatch.setattr("workers.w2s.models.compute_dtype", lambda device: torch.float32)

    class Watching(LogConfidence):
        def gradient(self, logits, targets, weights, progress):
            seen.append(len(logits))
            return super().gradient(logits, targets, weights, progress)

    objective = Watching(0.5, 0.0)
    one = make(inputs, epochs=1).fit(labels[None], weights, objective=objective)(inputs)
    monkeypatch.setattr("workers.w2s.finetune.network._TOKENS_PER_PASS", {"cpu": 64})
    student = make(inputs, epochs=1)
    many = student.fit(labels[None], weights, objective=objective)(inputs)
    items = np.arange(MANY)
    assert len(student._network.passes(items, student._material[0])) > 6
    assert set(seen) == {16}
    np.testing.assert_allclose(one, many, atol=1e-4)


def test_another_objective_is_another_student(make) -> None:
    inputs, labels = make_problem()
    student = make(inputs, epochs=2)
    weights = np.ones((1, MANY), np.float32)
    plain = student.fit(labels[None], weights, objective=CROSS_ENTROPY)(inputs)
    own = student.fit(labels[None], weights, objective=LogConfidence(1.0, 0.0))(inputs)
    assert np.abs(plain - own).max() > 1e-3


def test_progress_counts_all_steps_of_all_seeds(make) -> None:
    inputs, labels = make_problem()
    told: list[Progress] = []
    student = make(inputs, seeds=(1, 2), epochs=2, report=told.append)
    weights = np.ones((2, MANY), np.float32)
    weights[1, :32] = 0
    student.fit(np.stack([labels] * 2), weights)
    steps = [progress for progress in told if progress.stage == "fine-tuning"]
    assert [progress.done for progress in steps] == list(range(1, 21))  # 2 × (6 + 4) batches of 16
    assert {progress.total for progress in steps} == {20}


def test_wrong_shapes_and_empty_seeds_are_refused(make) -> None:
    inputs, labels = make_problem()
    student = make(inputs, seeds=(1, 2))
    with pytest.raises(ValueError, match="one row per seed"):
        student.fit(labels[None], np.ones((1, MANY), np.float32))
    with pytest.raises(ValueError, match="no item of positive weight"):
        student.fit(np.stack([labels] * 2), np.stack([np.ones(MANY), np.zeros(MANY)]))
    with pytest.raises(SpecError, match="must be positive"):
        tiny_spec(rank=0)


def test_a_model_cannot_be_frozen_altogether(make) -> None:
    inputs, labels = make_problem()
    with pytest.raises(RuntimeError, match="3 blocks, 3 cannot be frozen"):
        make(inputs, frozen_blocks=3).fit(labels[None], np.ones((1, MANY), np.float32))
