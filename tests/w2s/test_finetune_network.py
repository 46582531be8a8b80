"""The network behind a fine-tuned student gives the same logits however it is run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.w2s.tiny import save_tiny
from workers.w2s.finetune.network import Network
from workers.w2s.finetune.reading import read
from workers.w2s.finetune.spec import FineTuneSpec
from workers.w2s.finetune.student import FineTuneStudent
from workers.w2s.heads import ProbeStudent
from workers.w2s.models import load
from workers.w2s.problem import Inputs
from workers.w2s.spec import BenchmarkSpec, Item, ModelSpec, Split, silent
from workers.w2s.students import finetuning_protocol, make_student


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    save_tiny(folder, layers=3)
    return folder


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.w2s.models.compute_dtype", lambda device: torch.float32)


def inputs() -> Inputs:
    items = tuple(Item(Split.DEV, f"the w{i} is red ?", (f"w{i + 1}", f"w{2 * i} blue hot"), str(i)) for i in range(12))
    return Inputs(
        items=items,
        features=np.zeros((12, 1), np.float32),
        depths={},
        prior_log_odds=None,
        groups=np.arange(12),
    )


def network(cache_dir: Path, **changes: object) -> Network:
    spec = replace(FineTuneSpec(model=ModelSpec("hf", "tiny/llama"), rank=4), **changes)
    made = Network(spec, claims=False, cache_dir=cache_dir, report=silent)
    made.reset(0)
    with torch.no_grad():
        made.head.copy_(torch.linspace(-1, 1, 16))
    return made


def logits(made: Network) -> torch.Tensor:
    reading = read(inputs(), made.loaded.tokenizer, 100)
    with torch.no_grad():
        return made.logits(np.arange(12), reading, made.states_of(reading.texts))


def test_a_logit_is_the_head_on_the_difference_of_the_final_states(cache_dir: Path) -> None:
    made = network(cache_dir)
    loaded = load(ModelSpec("hf", "tiny/llama"), cache_dir=cache_dir, dtype=torch.float32)
    ids = loaded.tokenizer
    for i, item in enumerate(inputs().items[:3]):
        scores = []
        for response in item.responses:
            reading = read(replace(inputs(), items=(replace(item, responses=(response,)),)), ids, 100)
            state = loaded.model.model(torch.tensor([reading.texts[0].tokens])).last_hidden_state[0, -1]
            scores.append(state @ torch.linspace(-1, 1, 16))
        torch.testing.assert_close(logits(made)[i], scores[0] - scores[1], atol=1e-4, rtol=1e-4)


def test_padded_rows_and_trees_agree(cache_dir: Path) -> None:
    made = network(cache_dir)
    assert made.trees
    as_trees = logits(made)
    made.trees = False
    torch.testing.assert_close(as_trees, logits(made), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("frozen", [1, 2])
def test_going_on_from_cached_states_is_the_whole_model_up_to_their_rounding(cache_dir: Path, frozen: int) -> None:
    whole, upper = logits(network(cache_dir)), logits(network(cache_dir, frozen_blocks=frozen))
    assert (whole - upper).abs().max() < 0.05 * whole.abs().max()  # states are kept in bfloat16


def test_adapters_and_full_training_start_from_the_pretrained_model_again_and_again(cache_dir: Path) -> None:
    made = network(cache_dir, mode="full")
    before = logits(made)
    with torch.no_grad():
        for value in made.parameters().values():
            value.mul_(1.5)
    assert not torch.allclose(before, logits(made))
    made.reset(7)
    assert not made.head.any()
    with torch.no_grad():
        made.head.copy_(torch.linspace(-1, 1, 16))
    assert torch.equal(before, logits(made))


def test_what_learns_is_what_the_specification_says(cache_dir: Path) -> None:
    lora = network(cache_dir, frozen_blocks=2).parameters()
    assert len(lora) == 1 + 2 * 7  # the head, and two matrices on each of the seven linear maps of one block
    full = network(cache_dir, mode="full", frozen_blocks=2).parameters()
    assert len(full) == 1 + 7 + 2 + 1  # the head, the block's maps and norms, the final norm
    everything = network(cache_dir, mode="full").parameters()
    assert "embed_tokens.weight" in everything
    assert not any("embed" in name for name in full)


def test_long_texts_are_read_from_their_end(cache_dir: Path) -> None:
    tokenizer = network(cache_dir).loaded.tokenizer
    whole, cut = read(inputs(), tokenizer, 100), read(inputs(), tokenizer, 3)
    assert max(len(text.tokens) for text in cut.texts) == 3
    assert all(short.tokens == long.tokens[-3:] for short, long in zip(cut.texts, whole.texts, strict=True))


def test_benchmarks_prescribe_their_student(cache_dir: Path) -> None:
    tiny = ModelSpec("hf", "tiny/llama")
    spec = BenchmarkSpec("b", "B", "", "geography", weak=tiny, strong=tiny)
    made = {
        kind: make_student(replace(spec, student=kind), inputs(), cache_dir=cache_dir, seeds=(1,))
        for kind in ("probe", "lora", "full")
    }
    assert isinstance(made["probe"], ProbeStudent)
    assert isinstance(made["lora"], FineTuneStudent)
    assert isinstance(made["full"], FineTuneStudent)


def test_only_the_upper_third_of_a_wheels_model_learns() -> None:
    wheel = ModelSpec("wheel", "smollm2-135m")
    assert finetuning_protocol(wheel, 30, full=False).frozen_blocks == 20
    assert finetuning_protocol(wheel, 4, full=False).frozen_blocks == 2
    assert finetuning_protocol(wheel, 30, full=True).learning_rate == 1e-5
    published = finetuning_protocol(ModelSpec("hf", "Qwen/Qwen3-4B-Base"), 36, full=False)
    assert (published.frozen_blocks, published.rank, published.alpha) == (0, 32, 32)
    assert (published.learning_rate, published.warmup, published.epochs, published.batch_items) == (1e-4, 0.1, 5, 32)
    assert published.longest_text == 8192
