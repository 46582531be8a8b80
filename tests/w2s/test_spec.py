"""Names of models, datasets' digests, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from workers.w2s.spec import Dataset, Item, ModelSpec, SpecError, Split

ITEMS = (Item(Split.DEV, "q", ("a", "b"), "g"), Item(Split.TEACHER_TRAIN, "r", ("c", "d"), "h"))
DATASET = Dataset("d", "1", "pair", "by question", ITEMS, np.array([1, 0], np.int8))


@pytest.mark.parametrize("text", ["wheel:smollm2-135m", "hf:Qwen/Qwen3-4B-Base", "hf:Qwen/Qwen1.5-0.5B-Chat@layers=8"])
def test_a_model_reads_back_as_it_was_written(text: str) -> None:
    assert str(ModelSpec.parse(text)) == text
    assert str(ModelSpec.parse(text).whole) == text.partition("@")[0]


@pytest.mark.parametrize(
    "text", ["smollm2", "hub:a/b", "hf:", "hf:a/b/c", "hf:../x/y", "wheel:x@layers=", "wheel:x@layers=0"]
)
def test_a_name_of_another_form_is_refused_with_the_allowed_one(text: str) -> None:
    with pytest.raises(SpecError, match=r"expected wheel:NAME or hf:OWNER/NAME|at least 1"):
        ModelSpec.parse(text)


def test_the_digest_changes_with_everything_in_a_dataset() -> None:
    changes = [
        {"name": "e"},
        {"version": "2"},
        {"kind": "claim"},
        {"items": ITEMS[::-1]},
        {"items": (replace(ITEMS[0], question="p"), ITEMS[1])},
        {"items": (replace(ITEMS[0], responses=("b", "a")), ITEMS[1])},
        {"items": (replace(ITEMS[0], group="x"), ITEMS[1])},
        {"items": (replace(ITEMS[0], split=Split.HOLDOUT), ITEMS[1])},
        {"labels": np.array([0, 1], np.int8)},
    ]
    digests = {DATASET.digest, *(replace(DATASET, **change).digest for change in changes)}
    assert len(digests) == 1 + len(changes)
    assert replace(DATASET, split_rule="other words").digest == DATASET.digest


def test_items_of_a_split_are_found_in_order() -> None:
    assert DATASET.indices(Split.DEV).tolist() == [0]
    assert DATASET.indices(Split.HOLDOUT).tolist() == []
    with pytest.raises(SpecError, match="2 items but 1 labels"):
        replace(DATASET, labels=np.array([1], np.int8))
