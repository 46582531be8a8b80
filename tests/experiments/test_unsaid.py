"""What somebody hid is taken out of records, however it stands there."""

import pytest

from experiments.unsaid import Unsaid

TEXT = "The quick brown fox jumps over the lazy dog again."


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (TEXT, "[hidden]"),
        (f"He wrote: {TEXT} So be it.", "He wrote: [hidden]. So be it."),
        ("the **quick**\n> brown fox, jumps over… a cat", "[hidden]… a cat"),
        ('{"body": "The quick brown\\nfox jumps over"}', '{"body": "[hidden]"}'),
        ("a quick brown fox jumps", "a quick brown fox jumps"),  # five words in a row are not six
        ("nothing of the kind", "nothing of the kind"),
        ("", ""),
    ],
)
def test_a_run_of_words_is_taken_out_however_it_is_written(said: str, left: str) -> None:
    assert Unsaid([TEXT]).taken_out(said) == left


def test_values_of_any_form_are_gone_through_and_names_stay() -> None:
    value = {"input": [{"body": TEXT, "n": 3, "ok": None}], TEXT: 1}
    assert Unsaid([TEXT]).taken_out(value) == {"input": [{"body": "[hidden]", "n": 3, "ok": None}], TEXT: 1}


@pytest.mark.parametrize(
    ("hidden", "said", "left"),
    [
        ("Over there now", "it is over there, now!", "it is [hidden]!"),  # all of a short one
        ("Soft labels", "Soft labels", "[hidden]"),
        ("Soft labels", "soft labels are fine", "soft labels are fine"),  # two words are ordinary language
        ("hypothesis", "hypothesis", "hypothesis"),  # one may be a state or a kind
    ],
)
def test_short_texts_do_not_take_ordinary_words_along(hidden: str, said: str, left: str) -> None:
    assert Unsaid([hidden]).taken_out(said) == left


def test_without_anything_hidden_nothing_is_changed() -> None:
    value = {"a": ["b"]}
    assert Unsaid().taken_out(value) is value
