"""How the built-in datasets draw: by hashes, so that a version gives the same items on every machine."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from workers.w2s.spec import Dataset, Item, Split

T = TypeVar("T")

# 600, 1,500, 1,000 and 1,000 items at least, where a domain has so many
SHARES: Mapping[Split, int] = {Split.TEACHER_TRAIN: 6, Split.STUDENT_TRAIN: 15, Split.DEV: 10, Split.HOLDOUT: 10}


@dataclass(frozen=True, slots=True)
class Fact:
    """A question with its right and one wrong answer. group: as in `Item`."""

    group: str
    question: str
    right: str
    wrong: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its right answer, before wrong ones are drawn.

    entity: what it is about. also_right: other answers that would be no mistake.
    """

    entity: str
    question: str
    right: str
    also_right: frozenset[str] = frozenset()


def shuffled(things: Sequence[T], seed: str, *, key: Callable[[T], str] = str) -> list[T]:
    """In the order of SHA-256(seed, key): a shuffle that no library's generator can change.

    Things with equal keys keep their order.
    """
    return sorted(things, key=lambda thing: hashlib.sha256(f"{seed}\n{key(thing)}".encode()).digest())


def assigned(sizes: Mapping[str, int], seed: str, *, shares: Mapping[Split, int] = SHARES) -> dict[str, Split]:
    """Give every group to one split, so that the items (`sizes`, per group) stand in the ratio of `shares`.

    Large groups go first, each to the split that lacks most of its share, so the ratio is met closely.
    """
    total, wanted = sum(sizes.values()), sum(shares.values())
    missing = {split: total * share / wanted for split, share in shares.items()}
    owner = {}
    for group in sorted(shuffled(list(sizes), seed), key=lambda group: -sizes[group]):
        split = max(missing, key=lambda split: missing[split] / shares[split])
        owner[group] = split
        missing[split] -= sizes[group]
    return owner


def teams(
    sizes: Mapping[str, int], size: int, seed: str, *, compatible: Callable[[str, str], bool] = lambda one, other: True
) -> list[list[str]]:
    """Entities in teams of `size` whose members lend each other their answers as wrong ones.

    sizes: questions about each entity; those with about as many join, because a question needs one of each partner.
    Entities for which no compatible partners are left are dropped.
    """
    waiting = sorted(shuffled(list(sizes), seed), key=lambda entity: -sizes[entity])
    found = []
    while waiting:
        team = [waiting.pop(0)]
        for entity in list(waiting):
            if len(team) < size and all(compatible(mate, entity) for mate in team):
                team.append(entity)
                waiting.remove(entity)
        if len(team) == size:
            found.append(team)
    return found


def team_facts(team: Sequence[str], relation: Sequence[Asked], seed: str) -> list[Fact]:
    """The questions of one relation about a team, each against the answers of partners, as facts of one group.

    Questions are taken in rings of one per member, and each is put with every other's answer as the wrong one. So each
    answer is right as often as it is wrong within each group: an answer alone says nothing about being right, neither
    in all the data nor in what is left when groups are held out. (Balance over a whole split is not enough: the answers
    of a group that is held out are mostly wrong in the rest, and cross-validation falls below chance.)
    """
    waiting = {
        member: shuffled([asked for asked in relation if asked.entity == member], seed, key=lambda a: a.question)
        for member in team
    }
    facts = []
    for first in waiting[team[0]]:
        ring = [first]
        for member in team[1:]:
            partner = next((a for a in waiting[member] if all(_strangers(a, other) for other in ring)), None)
            if partner is not None:
                ring.append(partner)
        if len(ring) == len(team):
            for asked in ring[1:]:
                waiting[asked.entity].remove(asked)
            facts += [Fact("+".join(team), a.question, a.right, b.right) for a in ring for b in ring if a is not b]
    return facts


def pair_dataset(name: str, version: str, split_rule: str, facts: Mapping[Split, Sequence[Fact]]) -> Dataset:
    """Pairs with the right response first in exactly half of each split's items (one less if their number is odd)."""
    items, labels = [], []
    for split, chosen in facts.items():
        order = shuffled(chosen, f"{name}/{version}/{split}/order", key=repr)
        first = set(shuffled(range(len(order)), f"{name}/{version}/{split}/first")[: len(order) // 2])
        for i, fact in enumerate(order):
            responses = (fact.right, fact.wrong) if i in first else (fact.wrong, fact.right)
            items.append(Item(split, fact.question, responses, fact.group))
            labels.append(i in first)
    return Dataset(name, version, "pair", split_rule, tuple(items), np.array(labels, dtype=np.int8))


def split_by_group(facts: Sequence[Fact], seed: str) -> dict[Split, list[Fact]]:
    """Facts by split, whole groups each, in the ratio of SHARES."""
    sizes: dict[str, int] = {}
    for fact in facts:
        sizes[fact.group] = sizes.get(fact.group, 0) + 1
    owner = assigned(sizes, seed)
    return {split: [fact for fact in facts if owner[fact.group] is split] for split in SHARES}


def _strangers(one: Asked, other: Asked) -> bool:
    """Whether neither's answer is right for the other's question."""
    return one.right != other.right and other.right not in one.also_right and one.right not in other.also_right
