"""Agreement, tense, pronouns and articles: which of two sentences is correct? From our own templates and words."""

from collections.abc import Iterator
from typing import NamedTuple

from workers.w2s.data import DATASETS
from workers.w2s.data._pairs import Fact, pair_dataset, shuffled, split_by_group
from workers.w2s.data._words import ADJECTIVES, NAMES, OPEN_ADJECTIVES, PEOPLE, THINGS, VERBS, entries
from workers.w2s.spec import Dataset

VERSION = "1"
QUESTION = "Which sentence is correct?"
_SPLIT_RULE = (
    "The noun or verb under test belongs to one split, in all its sentences; the words around it occur in all splits. "
    "A group is such a word. Sentences come in mirrored couples, so that each form is right as often as it is wrong."
)

Sentences = tuple[str, str]  # the correct one, the wrong one


class Verb(NamedTuple):
    """The forms of a verb, and what follows it in a sentence."""

    base: str
    third: str
    past: str
    participle: str
    gerund: str
    rest: str


@DATASETS.register("grammar")
def grammar() -> Dataset:
    """Pairs of sentences that differ in one word."""
    seed = f"grammar/{VERSION}"
    facts: list[Fact] = []
    nouns = [(noun, person) for words, person in ((PEOPLE, True), (THINGS, False)) for noun in entries(words)]
    for (singular, plural), person in nouns:
        sentences = [*_agreement(singular, plural, seed), *_determiners(singular, plural, seed)]
        if person:
            sentences += _relatives(singular, plural)
        facts += _about(singular, sentences)
    for base, third, past, participle, gerund, *rest in entries(VERBS):
        verb = Verb(base, third, past, participle, gerund, " ".join(rest))
        facts += _about(f"to {base}", list(_forms(verb, seed)))
    return pair_dataset("grammar", VERSION, _SPLIT_RULE, split_by_group(facts, seed))


def _about(word: str, sentences: list[Sentences]) -> list[Fact]:
    return [Fact(word, QUESTION, right, wrong) for right, wrong in sentences if right != wrong]


def _mirrored(frame: str, one: tuple[str, str], other: tuple[str, str]) -> Iterator[Sentences]:
    """Two slots that must agree: (one, one) and (other, other) are right, mixed they are wrong.

    frame: with {a} and {b}. The wrong sentence differs in the second slot.
    """
    for own, foreign in ((one, other), (other, one)):
        yield frame.format(a=own[0], b=own[1]), frame.format(a=own[0], b=foreign[1])


def _agreement(singular: str, plural: str, seed: str) -> Iterator[Sentences]:
    """Number of subject and verb, next to each other and with another noun of the other number between them."""
    others = shuffled([noun for noun in entries(THINGS) if noun[0] != singular], f"{seed}/{singular}", key=str)
    (near_one, near_many), (far_one, far_many) = others[:2]
    old, new = shuffled(ADJECTIVES, f"{seed}/{singular}")[:2]
    yield from _mirrored(f"The {{a}} {{b}} {old}.", (singular, "is"), (plural, "are"))
    yield from _mirrored(f"The {{a}} near the {near_many} {{b}} {new}.", (singular, "was"), (plural, "were"))
    yield from _mirrored(f"The {{a}} behind the {near_one} {{b}} {old}.", (singular, "is"), (plural, "are"))
    yield from _mirrored(f"The {{a}} of the {far_many} {{b}} been sold.", (singular, "has"), (plural, "have"))
    yield from _mirrored(f"The {{a}} beside the {far_one} {{b}} not look {new}.", (singular, "does"), (plural, "do"))


def _determiners(singular: str, plural: str, seed: str) -> Iterator[Sentences]:
    """This, these, each, many, a, an."""
    old, new = shuffled(OPEN_ADJECTIVES, f"{seed}/{singular}")[0], shuffled(ADJECTIVES, f"{seed}/{singular}")[0]
    yield from _mirrored("I saw {a} {b} there.", ("this", singular), ("these", plural))
    yield from _mirrored("She wanted {a} {b}.", ("that", singular), ("those", plural))
    yield from _mirrored("We know {a} {b} in town.", ("each", singular), ("many", plural))
    yield from _mirrored("There {a} {b} in the picture.", ("is one", singular), ("are two", plural))
    yield from _mirrored(f"They talked about {{a}} {{b}} {singular}.", ("an", old), ("a", new))


def _relatives(singular: str, plural: str) -> Iterator[Sentences]:
    """Number of a verb in a relative clause, and after one."""
    yield from _mirrored("The {a} who {b} here left.", (singular, "lives"), (plural, "live"))
    yield from _mirrored("The {a} that I know {b} late.", (singular, "comes"), (plural, "come"))


def _forms(verb: Verb, seed: str) -> Iterator[Sentences]:
    """Agreement, tense, the form after auxiliaries and prepositions, and pronouns."""
    base, third, past, participle, gerund, rest = verb
    (she, he), (her, him) = shuffled(NAMES, f"{seed}/{base}", key=str)[:2]
    yield from _mirrored(f"{{a}} {{b}} {rest} every day.", (she, third), (f"{she} and {he}", base))
    yield from _mirrored(f"{{a}} often {{b}} {rest}.", ("He", third), ("They", base))
    yield from _mirrored(f"{{a}} {he} {{b}} {rest}.", ("Yesterday", past), ("Tomorrow", f"will {base}"))
    yield from _mirrored(f"{her} {{a}} {{b}} {rest}.", ("had already", participle), ("will soon", base))
    yield from _mirrored(f"{her} {{a}} {{b}} {rest}.", ("is", gerund), ("can", base))
    yield from _mirrored(f"{him} {{a}} {{b}} {rest}.", ("does not", base), ("has never", participle))
    yield from _mirrored(f"{he} {{a}} {{b}} {rest}.", ("wants to", base), ("was", gerund))
    yield from _mirrored(f"{she} {{a}} {{b}} {rest}.", ("thought about", gerund), ("had to", base))
    yield from _mirrored(f"They {{a}} {{b}} {rest}.", ("have", participle), ("did", base))
    yield from _mirrored(f"{{a}} hurt {{b}} while {gerund} {rest}.", (she, "herself"), (he, "himself"))
    yield f"We saw him {gerund} {rest}.", f"We saw he {gerund} {rest}."
    yield f"We know he {past} {rest}.", f"We know him {past} {rest}."
