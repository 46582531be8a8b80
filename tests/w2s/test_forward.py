"""Forward passes against transformers, text by text: trees, padding, shared beginnings, early exits."""

from pathlib import Path

import pytest
import torch
import transformers

from tests.w2s.tiny import SHADES, save_tiny
from workers.w2s import forward
from workers.w2s.forward import takes_trees, text_outputs, token_states
from workers.w2s.models import LoadedModel, ModelError, blocks_of, choose_device, compute_dtype, load
from workers.w2s.spec import ModelSpec
from workers.w2s.texts import Encoded, encode, few_shot_text, qa_text

LONG = [(f"the {shade}", "hot") for shade in SHADES[:6]]
TEXTS = [
    *[qa_text(f"the {shade} of red ?", answer) for shade in SHADES[:5] for answer in ("blue", "green cold")],
    qa_text("is", "True"),
]
SHOWN = [few_shot_text(LONG, f"the {shade}", answer) for shade in SHADES[:5] for answer in ("red", "blue")]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    save_tiny(folder, layers=3)
    return folder


@pytest.fixture(scope="module")
def loaded(cache: Path) -> LoadedModel:
    return load(ModelSpec("hf", "tiny/llama"), cache_dir=cache, dtype=torch.float32, device="cpu")


def reference(cache: Path, text: Encoded) -> tuple[tuple[torch.Tensor, ...], float]:
    """Hidden states of all layers (tokens, d), and the log-likelihood of the answer, by the plainest code."""
    model = transformers.AutoModelForCausalLM.from_pretrained(cache / "models" / "hf" / "tiny/llama")
    with torch.inference_mode():
        out = model(torch.tensor([text.tokens]), output_hidden_states=True)
    logs = out.logits[0].log_softmax(-1)
    likelihood = sum(float(logs[i - 1, text.tokens[i]]) for i in range(text.prefix, len(text.tokens)))
    return tuple(state[0] for state in out.hidden_states), likelihood


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("texts", [TEXTS, SHOWN], ids=["plain", "with demonstrations"])
def test_states_and_likelihoods_are_those_of_each_text_alone(
    loaded: LoadedModel, cache: Path, texts: list, packed: bool
) -> None:
    encoded = encode(loaded.tokenizer, texts)
    found = text_outputs(loaded, encoded, layers=[0, 1, 3], likelihood=True, packed=packed)
    assert found.log_likelihood is not None
    for row, text in enumerate(encoded):
        states, likelihood = reference(cache, text)
        for layer in (0, 1, 3):
            torch.testing.assert_close(found.states[layer][row].float(), states[layer][-1], rtol=2e-2, atol=2e-2)
        assert float(found.log_likelihood[row]) == pytest.approx(likelihood, abs=1e-3)


def test_small_packs_and_passes_change_nothing(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = encode(loaded.tokenizer, TEXTS)
    whole = text_outputs(loaded, encoded, layers=[3], likelihood=True, packed=True)
    monkeypatch.setattr(forward, "PACK_NODES", 14)
    monkeypatch.setattr(forward, "_HEAD_ROWS", 3)
    monkeypatch.setitem(forward._TOKENS_PER_PASS, "cpu", 30)
    parts = text_outputs(loaded, encoded, layers=[3], likelihood=True, packed=True)
    torch.testing.assert_close(parts.states[3], whole.states[3], rtol=2e-2, atol=1e-2)
    torch.testing.assert_close(parts.log_likelihood, whole.log_likelihood, rtol=1e-4, atol=1e-4)


def test_the_state_of_every_token_is_had_too(loaded: LoadedModel, cache: Path) -> None:
    encoded = encode(loaded.tokenizer, TEXTS[:4])
    for packed in (True, False):
        for text, states in zip(encoded, token_states(loaded, encoded, layer=2, packed=packed), strict=True):
            assert states.shape == (len(text.tokens), 16)
            torch.testing.assert_close(states.float(), reference(cache, text)[0][2], rtol=2e-2, atol=2e-2)


def test_an_early_exit_has_the_same_states_as_the_whole_model(loaded: LoadedModel, cache: Path) -> None:
    early = load(ModelSpec("hf", "tiny/llama", 2), cache_dir=cache, dtype=torch.float32, device="cpu")
    assert (early.blocks, len(early.model.model.layers), early.identity.depth) == (2, 2, 3)
    encoded = encode(loaded.tokenizer, TEXTS)
    states = [text_outputs(m, encoded, layers=[2], likelihood=False).states[2] for m in (loaded, early)]
    torch.testing.assert_close(*states)


def test_whether_a_model_takes_trees_is_found_by_trying(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert takes_trees(loaded)
    run = forward._Batch.run

    def deaf(self: forward._Batch, model: LoadedModel) -> torch.Tensor:
        """A model that ignores masks and positions."""
        return run(forward._Batch(self.ids, None, None, self.texts, self.rows, self.paths), model)

    monkeypatch.setattr(forward._Batch, "run", deaf)
    assert not takes_trees(loaded)


def test_an_answer_without_tokens_has_likelihood_one(loaded: LoadedModel) -> None:
    encoded = encode(loaded.tokenizer, [qa_text("the red", ""), qa_text("the red", "hot")])
    found = text_outputs(loaded, encoded, layers=[], likelihood=True)
    assert found.log_likelihood is not None
    assert float(found.log_likelihood[0]) == 0
    assert float(found.log_likelihood[1]) < 0


def test_layers_and_lengths_out_of_reach_are_refused(loaded: LoadedModel, cache: Path) -> None:
    encoded = encode(loaded.tokenizer, TEXTS[:1])
    with pytest.raises(ModelError, match="no layer 4, the model stops after 3"):
        text_outputs(loaded, encoded, layers=[4], likelihood=False)
    with pytest.raises(ModelError, match="reads 256 tokens, a text has 300"):
        text_outputs(loaded, [Encoded((1,) * 300, 2)], layers=[1], likelihood=False)
    with pytest.raises(ModelError, match="has 3 layers, 5 were asked for"):
        blocks_of(ModelSpec("hf", "tiny/llama", 5), loaded.identity)


def test_bfloat16_is_chosen_where_it_is_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.w2s import models

    cpu = choose_device("cpu")
    monkeypatch.setattr(models, "_cpu_flags", lambda: {"avx2"})
    assert compute_dtype(cpu) is torch.float32
    monkeypatch.setattr(models, "_cpu_flags", lambda: {"avx2", "avx512_bf16"})
    assert compute_dtype(cpu) is torch.bfloat16
    assert compute_dtype(torch.device("cuda")) is torch.bfloat16


def test_prefix_and_answer_are_tokenised_apart(loaded: LoadedModel) -> None:
    one, other = encode(loaded.tokenizer, [qa_text("the red", "hot"), qa_text("the red", "cold blue")])
    assert one.tokens[: one.prefix] == other.tokens[: other.prefix]
    assert (len(one.tokens) - one.prefix, len(other.tokens) - other.prefix) == (1, 2)
    shown = few_shot_text([("the blue", "cold")], "the red", "hot")
    assert shown.prefix == "Question: the blue\nAnswer: cold\n\nQuestion: the red\nAnswer:"
    assert shown.answer == "hot"
