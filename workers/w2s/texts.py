"""Texts as models read them: a prefix and an answer, tokenised apart so that answers share their prefix's tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TEMPLATE = "qa-1"  # part of every cache key


@dataclass(frozen=True, slots=True, order=True)
class Text:
    """What stands before the answer, "Question: ...\\nAnswer:", and the answer, without a space before it."""

    prefix: str
    answer: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """The tokens of a text, of which the first `prefix` are those of its prefix."""

    tokens: tuple[int, ...]
    prefix: int


def qa_text(question: str, answer: str) -> Text:
    """Template "qa-1"."""
    return Text(f"Question: {question}\nAnswer:", answer)


def few_shot_text(demonstrations: Sequence[tuple[str, str]], question: str, answer: str) -> Text:
    """Template "qa-1" after answered questions of the same form, each followed by an empty line."""
    shown = "".join(f"Question: {asked}\nAnswer: {answered}\n\n" for asked, answered in demonstrations)
    asked = qa_text(question, answer)
    return Text(shown + asked.prefix, asked.answer)


def encode(tokenizer: Any, texts: Sequence[Text]) -> list[Encoded]:
    """Tokenise as tokens(prefix) followed by tokens(" " + answer), whatever merges a tokeniser knows across the border.

    The beginning-of-sequence token stands first where the tokeniser adds one; none is added at the end.
    An empty answer has no tokens.
    Raises: ValueError if a prefix has no tokens: nothing would predict the answer's first one.
    """
    before = _token_ids(tokenizer, [text.prefix for text in texts])
    after = _token_ids(tokenizer, [f" {text.answer}" if text.answer else "" for text in texts])
    first = _beginning(tokenizer)
    encoded = []
    for text, prefix, answer in zip(texts, before, after, strict=True):
        if not first and not prefix:
            raise ValueError(f"the prefix {text.prefix!r} has no tokens")
        encoded.append(Encoded((*first, *prefix, *answer), len(first) + len(prefix)))
    return encoded


def _token_ids(tokenizer: Any, strings: Sequence[str]) -> list[list[int]]:
    """Token ids without special tokens; equal strings are tokenised once."""
    distinct = list(dict.fromkeys(strings))
    if not distinct:
        return []
    ids = dict(zip(distinct, tokenizer(distinct, add_special_tokens=False)["input_ids"], strict=True))
    return [ids[string] for string in strings]


def _beginning(tokenizer: Any) -> tuple[int, ...]:
    """The beginning-of-sequence token, if the tokeniser puts one before a text."""
    ids = tokenizer("a")["input_ids"]
    return (ids[0],) if ids[0] == tokenizer.bos_token_id else ()
