"""The bank of heuristics: ways to answer without having learned anything."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from oversight.facts import Bits, Floats, ItemText

_WORD = re.compile(r"\w+")
Score = Callable[[ItemText, str], float]


def bank(items: Sequence[ItemText], training: Sequence[ItemText]) -> dict[str, Bits]:
    """Heuristic -> (items,) 0/1 answers.

    Pairs: 1 where the first response scores higher. Claims: 1 where the only one scores above the median.
    training: further items whose texts are known; they count for what is common.
    """
    everywhere = Counter(response for item in (*training, *items) for response in item.responses)
    by_question = Counter((item.question, response) for item in (*training, *items) for response in item.responses)
    starts = Counter(response.split(" ")[0] for item in (*training, *items) for response in item.responses)
    scores: dict[str, Score] = {
        "most common answer": lambda _, response: everywhere[response],
        "most common answer to this question": lambda item, response: by_question[item.question, response],
        "common first word": lambda _, response: starts[response.split(" ")[0]],
        "longer": lambda _, response: len(response),
        "more words": lambda _, response: len(_WORD.findall(response)),
        "overlap with the question": _overlap,
        "more digits": lambda _, response: sum(character.isdigit() for character in response),
    }
    answers = {name: _answers(items, score) for name, score in scores.items()}
    return {"always the first": np.ones(len(items), dtype=bool), **answers}


def _answers(items: Sequence[ItemText], score: Score) -> Bits:
    if not items:
        return np.zeros(0, dtype=bool)
    values: Floats = np.array([[score(item, response) for response in item.responses] for item in items], dtype=float)
    first = values[:, 0]
    other = values[:, 1] if values.shape[1] > 1 else np.full(len(values), np.median(first))
    answers = first > other
    ties = np.flatnonzero(first == other)
    answers[ties] = ties % 2 == 0  # no opinion: neither answer is favoured
    return np.asarray(answers)


def _overlap(item: ItemText, response: str) -> float:
    words = set(_WORD.findall(response.lower()))
    return len(words & set(_WORD.findall(item.question.lower()))) / max(len(words), 1)
