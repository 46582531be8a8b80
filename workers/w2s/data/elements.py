"""Symbols, atomic numbers, masses and periods of the chemical elements, from periodictable."""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import periodictable

from workers.w2s.data import DATASETS
from workers.w2s.data._pairs import Asked, pair_dataset, split_by_group, team_facts, teams
from workers.w2s.spec import Dataset

VERSION = "1"
TEAM = 3  # elements that lend each other their answers
HEAVIEST_MEASURED = 92  # beyond uranium a mass is that of whichever isotope was made
_NOBLE_GASES = (2, 10, 18, 36, 54, 86, 118)  # each ends a period
_SPLIT_RULE = (
    "Every fact belongs to one split and is asked in both directions there. Splits share elements, for there are only "
    "118, but no question. A group is one fact of each kind about three elements, whose right answers are each other's "
    "wrong ones; the elements differ from kind to kind."
)


@dataclass(frozen=True, slots=True)
class _Element:
    number: int
    symbol: str
    name: str
    mass: float


@DATASETS.register("elements")
def elements() -> Dataset:
    """Pairs of answers about 118 elements. Source: periodictable (NIST and IUPAC tables).

    All groups hold the same kinds of facts: some kinds are much better known than others, and groups of one kind would
    differ for that reason alone.
    """
    table = [_Element(one.number, one.symbol, one.name, one.mass) for one in periodictable.elements if one.number]
    seed = f"elements/{VERSION}"
    facts = [
        replace(fact, group=f"group {number}")
        for kind, directions in _facts(table).items()
        for number, team in enumerate(teams({one.entity: 1 for one in directions[0]}, TEAM, f"{seed}/{kind}"))
        for direction in directions
        for fact in team_facts(team, direction, f"{seed}/{kind}")
    ]
    return pair_dataset("elements", VERSION, _SPLIT_RULE, split_by_group(facts, seed))


def _facts(table: Sequence[_Element]) -> Mapping[str, list[list[Asked]]]:
    """Kind of fact -> its directions, from element to fact and back."""
    measured = [one for one in table if one.number <= HEAVIEST_MEASURED]
    return {
        "symbol": [
            [Asked(one.symbol, f"What is the chemical symbol of {one.name}?", one.symbol) for one in table],
            [Asked(one.symbol, f"Which element has the symbol {one.symbol}?", one.name) for one in table],
        ],
        "number": [
            [Asked(one.symbol, f"What is the atomic number of {one.name}?", str(one.number)) for one in table],
            [Asked(one.symbol, f"Which element has the atomic number {one.number}?", one.name) for one in table],
        ],
        "mass": [
            [Asked(one.symbol, f"What is the atomic mass of {one.name}, rounded?", _mass(one)) for one in measured],
            [
                Asked(
                    one.symbol, f"Which element has an atomic mass of about {_mass(one)}?", one.name, _alike(one, table)
                )
                for one in measured
            ],
        ],
        "period": [
            [
                Asked(one.symbol, f"In which period of the periodic table is {one.name}?", str(_period(one)))
                for one in table
            ]
        ],
    }


def _mass(element: _Element) -> str:
    return str(round(element.mass))


def _alike(element: _Element, table: Sequence[_Element]) -> frozenset[str]:
    """Names of the elements within one unit of mass."""
    return frozenset(one.name for one in table if abs(one.mass - element.mass) < 1)


def _period(element: _Element) -> int:
    return bisect.bisect_left(_NOBLE_GASES, element.number) + 1
