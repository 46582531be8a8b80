"""Pages, filters, search and order of lists; experiments/api/reading.py."""

import pytest

from tests.api.conftest import problem
from tests.factories import make_benchmark, make_event, make_experiment, make_method, make_reference

pytestmark = pytest.mark.django_db


@pytest.fixture
def board(roles):
    geography, latitude = make_benchmark(), make_benchmark("latitude", items=False)
    vanilla, gray = make_method("vanilla"), make_method("zero-shot", method_class="policy_gray")
    for place, pgr in enumerate((0.3, 0.5, 0.1)):
        make_experiment(benchmark=geography, method=vanilla, state="scored", dev=pgr, title=f"idea {place}")
    make_experiment(benchmark=latitude, method=vanilla, state="scored", dev=0.9)
    make_experiment(benchmark=geography, method=gray, state="scored", dev=1.1, standing="policy_gray")
    make_experiment(benchmark=geography, method=vanilla, state="scored", dev=0.7, standing="disqualified")
    make_experiment(benchmark=geography, method=vanilla, state="queued", title="confidence matters")
    return geography


def ids(answer):
    return [each["id"] for each in answer.json()["results"]]


def pgrs(agent, query):
    return [each["dev_pgr"] for each in agent.get(query).json()["results"]]


def test_pages_follow_each_other_and_back(agent, board):
    first = agent.get("experiments/?page_size=3").json()
    second = agent.get(first["next"]).json()
    third = agent.get(second["next"]).json()
    everything = [each["id"] for answer in (first, second, third) for each in answer["results"]]
    assert everything == sorted(everything, reverse=True)
    assert len(everything) == 7
    assert (first["previous"], third["next"]) == (None, None)
    assert agent.get(third["previous"]).json()["results"] == second["results"]


def test_pages_keep_their_filters_and_order(agent, board):
    first = agent.get("experiments/?benchmark=geography&ordering=-dev_pgr&page_size=2").json()
    second = agent.get(first["next"]).json()
    assert [each["dev_pgr"] for each in first["results"] + second["results"]] == [1.1, 0.7, 0.5, 0.3]


@pytest.mark.parametrize("size", ["0", "201", "-1", "many"])
def test_page_sizes_out_of_range_are_400(agent, size):
    found = problem(agent.get(f"experiments/?page_size={size}"), 400, "invalid")
    assert found["errors"][0]["parameter"] == "page_size"


@pytest.mark.parametrize("cursor", ["x", "e30", "W251bGwsIG51bGwsIG51bGxd", "%00", "%F0%9F%92%A9", "W10"])
def test_a_foreign_cursor_is_400(agent, cursor):
    found = problem(agent.get(f"experiments/?cursor={cursor}"), 400, "invalid")
    assert found["errors"][0]["parameter"] == "cursor"


@pytest.mark.parametrize(
    ("query", "pgr"),
    [
        ("benchmark=latitude", [0.9]),
        ("method=zero-shot", [1.1]),
        ("class=policy_gray", [1.1]),
        ("state=queued", [None]),
        ("standing=disqualified", [0.7]),
        ("search=confidence", [None]),
        ("search=nothing%20like%20this", []),
        ("benchmark=&state=&search=", [None, 0.7, 1.1, 0.9, 0.1, 0.5, 0.3]),
        ("ordering=dev_pgr&benchmark=geography", [0.1, 0.3, 0.5, 0.7, 1.1, None]),
        ("ordering=created_at&benchmark=latitude", [0.9]),
    ],
)
def test_filters_search_and_order(agent, board, query, pgr):
    assert pgrs(agent, f"experiments/?{query}") == pgr


def test_by_submitter(agent, board):
    mine = make_experiment(benchmark=board, user=agent.user)
    assert ids(agent.get(f"experiments/?submitter={agent.user.username}")) == [mine.pk]


def test_an_id_can_be_searched_for(agent, board):
    one = make_experiment(benchmark=board, title="without its number")
    assert one.pk in ids(agent.get(f"experiments/?search=%23{one.pk}"))


@pytest.mark.parametrize(
    ("query", "parameter", "allowed"),
    [
        ("state=done", "state", "queued"),
        ("standing=fine", "standing", "counted"),
        ("class=x", "class", "policy_gray"),
        ("benchmark=atlantis", "benchmark", "geography"),
        ("method=alchemy", "method", "vanilla"),
        ("submitter=nobody", "submitter", ""),
        ("ordering=luck", "ordering", "-dev_pgr"),
        ("colour=red", "colour", "submitter"),
        ("search=%00", "search", ""),
    ],
)
def test_unknown_filters_and_values_are_400_and_name_the_allowed(agent, board, query, parameter, allowed):
    found = problem(agent.get(f"experiments/?{query}"), 400, "invalid")
    assert found["errors"][0]["parameter"] == parameter
    assert allowed in found["errors"][0]["detail"]


def test_a_list_costs_few_queries(agent, board, django_assert_max_num_queries):
    with django_assert_max_num_queries(6):
        assert len(agent.get("experiments/").json()["results"]) == 7


def test_the_leaderboard_ranks_what_counts(agent, board):
    rows = agent.get("leaderboard/?benchmark=geography&class=weak_to_strong").json()["results"]
    assert [(row["rank"], row["dev_pgr"], row["standing"]) for row in rows] == [
        (1, 0.5, "counted"), (2, 0.3, "counted"), (3, 0.1, "counted"),
    ]  # fmt: skip
    assert rows[0]["dev"]["low"] < 0.5 < rows[0]["dev"]["high"]
    assert not rows[0]["external"]


def test_ranks_go_on_over_pages(agent, board):
    first = agent.get("leaderboard/?benchmark=geography&page_size=2").json()
    assert [row["rank"] for row in agent.get(first["next"]).json()["results"]] == [3]


def test_what_does_not_count_is_shown_when_asked_without_a_rank(agent, board):
    rows = agent.get("leaderboard/?benchmark=geography&standing=all").json()["results"]
    assert rows[0]["standing"] == "disqualified"
    assert [row["rank"] for row in rows] == [None, 1, 2, 3]
    assert pgrs(agent, "leaderboard/?standing=disqualified") == [0.7]


def test_classes_are_apart(agent, board):
    assert pgrs(agent, "leaderboard/?benchmark=geography&class=policy_gray") == [1.1]
    assert pgrs(agent, "leaderboard/?benchmark=&class=") == [0.9, 0.5, 0.3, 0.1]


def test_published_figures_are_a_class_of_their_own(agent, board):
    make_reference(board, doubtful="not traced")
    row = agent.get("leaderboard/?benchmark=geography&class=reference").json()["results"][0]
    assert (row["external"], row["rank"], row["experiment"], row["dev_pgr"]) == (True, None, None, 0.4)
    assert row["doubtful"] == "not traced"


def test_an_unknown_board_is_400(agent, board):
    assert "geography" in str(problem(agent.get("leaderboard/?benchmark=x"), 400, "invalid")["errors"])
    assert "reference" in str(problem(agent.get("leaderboard/?class=x"), 400, "invalid")["errors"])


def test_events_come_in_order_after_a_number(caller):
    for number in range(1, 6):
        make_event("run.state", f"experiment:{number % 2}", payload={"n": number})
    viewer = caller("viewer")
    found = viewer.get("events/?campaign=0&after=2").json()
    assert [each["number"] for each in found["results"]] == [3, 4, 5]
    assert found["next"] is None
    assert found["last_number"] == 5
    assert found["results"][0]["payload"] == {"n": 3}
    assert found["results"][0]["actor"] is None
    first = viewer.get("events/?page_size=2").json()
    assert [each["number"] for each in viewer.get(first["next"]).json()["results"]] == [3, 4]
    assert [each["number"] for each in viewer.get("events/?subject=experiment:1").json()["results"]] == [1, 3, 5]
    assert viewer.get("events/?campaign=9").json() == {"results": [], "next": None, "last_number": 0}


@pytest.mark.parametrize("query", ["after=-1", "after=x", "campaign=x", "after=99999999999999999999999", "since=1"])
def test_bad_event_queries_are_400(caller, query):
    problem(caller("viewer").get(f"events/?{query}"), 400, "invalid")
