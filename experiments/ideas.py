"""How alike ideas are, by the words they are put in: TF-IDF, cosine, and the diversity of a window of them.

It sees words, not meaning: a paraphrase counts as new, and two opposite claims in the same words as the same.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from metrics import t_quantile

Vector = dict[str, float]
LONGEST = 1_000  # characters of one idea that are compared
LEVEL = 0.95
_WORD = re.compile(r"[a-z][a-z_\-]+")  # numbers are left out: trying 0.1 after 0.2 is the same direction
_COMMON = frozenset(
    """
    a about after all also an and any are as at be because been but by can could do does each for from had has have
    how if in into is it its less may more most no not of on one only or other our over same should so some such
    than that the their them then there these they this those to too under up use used using was we were what when
    where which while will with without would
    """.split()  # noqa: SIM905 - a list of a hundred literals reads worse
)


@dataclass(frozen=True, slots=True)
class Diversity:
    """Mean pairwise distance of some ideas, in [0, 1], with a jackknife interval; None where it cannot be told."""

    value: float
    low: float | None
    high: float | None
    n: int


def words(text: str) -> Counter[str]:
    """Telling words of a text: lower case, no numbers, no common words."""
    return Counter(word for word in _WORD.findall(text[:LONGEST].lower()) if word not in _COMMON)


def vectors(texts: Sequence[str]) -> list[Vector]:
    """Each text as a unit vector: (1 + log count) · (1 + log((1 + texts) / (1 + texts with the word))).

    A text without a telling word is an empty vector. Source: the smoothed form of Salton and Buckley 1988.
    """
    counted = [words(text) for text in texts]
    spread = Counter(word for each in counted for word in each)
    rarity = {word: 1 + math.log((1 + len(texts)) / (1 + count)) for word, count in spread.items()}
    return [_unit({word: (1 + math.log(count)) * rarity[word] for word, count in each.items()}) for each in counted]


def cosine(one: Vector, other: Vector) -> float:
    """Similarity of two unit vectors, in [0, 1]; 0 with an empty one."""
    if len(other) < len(one):
        one, other = other, one
    return min(sum(weight * other.get(word, 0.0) for word, weight in one.items()), 1.0)


def diversity(window: Sequence[Vector]) -> Diversity | None:
    """Mean of 1 - cosine over all pairs, and its delete-one jackknife interval; None for fewer than two ideas.

    Ideas count as a sample; agents read each other, so the interval is too narrow rather than too wide. Source of the
    interval: the jackknife for U-statistics, Arvesen 1969.
    """
    n = len(window)
    if n < 2:
        return None
    total: Counter[str] = Counter()
    for vector in window:
        total.update(vector)
    # the sum over pairs follows from the sum of the vectors: no loop over pairs
    own = [sum(weight * weight for weight in vector.values()) for vector in window]
    rows = [
        sum(weight * total[word] for word, weight in vector.items()) - itself
        for vector, itself in zip(window, own, strict=True)
    ]
    alike = sum(rows)
    value = _bounded(1 - alike / (n * (n - 1)))
    if n < 4:
        return Diversity(value, None, None, n)
    left_out = [1 - (alike - 2 * row) / ((n - 1) * (n - 2)) for row in rows]
    mean = sum(left_out) / n
    se = math.sqrt((n - 1) / n * sum((each - mean) ** 2 for each in left_out))
    reach = t_quantile(n - 1, LEVEL) * se
    return Diversity(value, _bounded(value - reach), _bounded(value + reach), n)


def _unit(vector: Vector) -> Vector:
    length = math.sqrt(sum(weight * weight for weight in vector.values()))
    return {word: weight / length for word, weight in vector.items()} if length else {}


def _bounded(value: float) -> float:
    return min(max(value, 0.0), 1.0)
