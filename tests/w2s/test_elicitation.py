"""Asking the model: which texts are compared, against likelihoods computed token by token, and the cache."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.w2s.tiny import save_tiny
from workers.w2s.elicitation import Elicitor, compared_texts, make_elicit
from workers.w2s.models import load
from workers.w2s.spec import BenchmarkSpec, Item, ModelSpec, Progress, Split
from workers.w2s.texts import Text, encode

PAIR = Item(Split.DEV, "the capital ?", ("w1 red", "w2"), "a")
OTHER = Item(Split.DEV, "the river ?", ("w3", "w4"), "b")
CLAIM = Item(Split.DEV, "the capital ?", ("w1",), "a")
LIAR = Item(Split.DEV, "the river ?", ("w4",), "b")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    monkeypatch.setattr("workers.w2s.models.compute_dtype", lambda device: torch.float32)
    return save_tiny(tmp_path)


def by_hand(model: ModelSpec, cache_dir: Path, text: Text) -> float:
    """Sum of log P(token | before) over the answer's tokens, one plain forward pass."""
    loaded = load(model, cache_dir=cache_dir, dtype=torch.float32)
    (encoded,) = encode(loaded.tokenizer, [text])
    with torch.no_grad():
        logits = loaded.model(torch.tensor([encoded.tokens])).logits[0].log_softmax(-1)
    return sum(logits[i - 1, encoded.tokens[i]].item() for i in range(encoded.prefix, len(encoded.tokens)))


def test_a_pair_is_judged_by_its_responses_likelihoods() -> None:
    first, second = compared_texts(PAIR)
    assert first == Text("Question: the capital ?\nAnswer:", "w1 red")
    assert second == Text("Question: the capital ?\nAnswer:", "w2")


def test_a_demonstration_of_a_pair_shows_the_response_believed_better() -> None:
    first, _ = compared_texts(PAIR, [(OTHER, 0), (OTHER, 1)])
    shown = "Question: the river ?\nAnswer: w4\n\nQuestion: the river ?\nAnswer: w3\n\n"
    assert first == Text(shown + "Question: the capital ?\nAnswer:", "w1 red")


def test_a_claim_is_judged_by_asking_whether_it_is_right() -> None:
    yes, no = compared_texts(CLAIM, [(LIAR, 0)])
    assert yes.prefix == no.prefix
    assert (yes.answer, no.answer) == ("True", "False")
    assert yes.prefix == (
        "Question: the river ?\nProposed answer: w4\nIs the proposed answer right, True or False?\nAnswer: False\n\n"
        "Question: the capital ?\nProposed answer: w1\nIs the proposed answer right, True or False?\nAnswer:"
    )


@pytest.mark.parametrize("item", [PAIR, CLAIM])
@pytest.mark.parametrize("shots", [0, 2])
def test_log_odds_are_differences_of_log_likelihoods(tiny: ModelSpec, tmp_path: Path, item: Item, shots: int) -> None:
    shown = [(OTHER if item is PAIR else LIAR, label) for label in range(shots)]
    (found,) = Elicitor(tiny, tmp_path)([item], shown)
    first, second = compared_texts(item, shown)
    expected = by_hand(tiny, tmp_path, first) - by_hand(tiny, tmp_path, second)
    assert found == pytest.approx(expected, abs=1e-4)
    assert abs(expected) > 1e-3


def test_swapping_the_responses_of_a_pair_negates_the_log_odds(tiny: ModelSpec, tmp_path: Path) -> None:
    elicit = Elicitor(tiny, tmp_path)
    swapped = replace(PAIR, responses=PAIR.responses[::-1])
    one, other = elicit([PAIR, swapped], [])
    assert one == pytest.approx(-other)


def test_the_same_question_is_answered_from_disk(
    tiny: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Progress] = []
    answer = Elicitor(tiny, tmp_path, told.append)([PAIR, OTHER], [])
    assert told[-1] == Progress("asking the strong model", 4, 4)

    def broken(*args: object, **options: object) -> None:
        raise AssertionError("the model was asked again")

    monkeypatch.setattr("workers.w2s.elicitation.text_outputs", broken)
    np.testing.assert_array_equal(Elicitor(tiny, tmp_path)([PAIR, OTHER], []), answer)
    with pytest.raises(AssertionError, match="asked again"):
        Elicitor(tiny, tmp_path)([PAIR, OTHER], [(OTHER, 1)])


def test_another_model_does_not_get_the_answers_of_the_first(tiny: ModelSpec, tmp_path: Path) -> None:
    other = save_tiny(tmp_path, name="tiny/other", seed=1)
    one, two = (Elicitor(model, tmp_path)([PAIR], []) for model in (tiny, other))
    early = Elicitor(replace(tiny, layers=1), tmp_path)([PAIR], [])
    assert len({float(answer[0]) for answer in (one, two, early)}) == 3


def test_nothing_asked_is_nothing_answered(tiny: ModelSpec, tmp_path: Path) -> None:
    assert Elicitor(tiny, tmp_path)([], []).shape == (0,)


def test_only_benchmarks_that_offer_likelihoods_can_be_asked(tmp_path: Path) -> None:
    weak, strong = ModelSpec("wheel", "smollm2-135m", 4), ModelSpec("wheel", "smollm2-135m")
    spec = BenchmarkSpec("b", "B", "", "geography", weak=weak, strong=strong)
    assert make_elicit(spec, tmp_path) is None
    assert isinstance(make_elicit(replace(spec, offers=("hidden_states", "likelihood")), tmp_path), Elicitor)
