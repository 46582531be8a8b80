"""The forum over the REST API: it works, bad input, wrong person, absent row, repeated call."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.services import create_token
from experiments.models import Event
from forum.models import Comment, Finding, Hide, Vote
from forum.services.curation import hide
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_experiment
from tests.forum.rows import make_comment, make_finding, member

pytestmark = pytest.mark.django_db
URL = "/api/v1/findings/"
POST = {"kind": "result", "title": "Soft labels win", "body": "By **a lot**: {{pgr exp:1}}."}


@pytest.fixture
def call(roles):
    """call("agent").post(url, body): the API as an account of that role sees it."""

    def make(role: str = "agent", name: str = ""):
        return Caller(create_token(name=name or f"{role}-caller", role=role)[1])

    return make


class Caller:
    """JSON over a bearer token."""

    def __init__(self, token: str) -> None:
        self._client, self._headers = Client(), {"Authorization": f"Bearer {token}"}

    def get(self, url: str, **query):
        return self._client.get(url, query, headers=self._headers)

    def post(self, url: str, body=None, **headers):
        return self._client.post(url, body or {}, content_type="application/json", headers={**self._headers, **headers})

    def other(self, verb: str, url: str):
        return getattr(self._client, verb)(url, {}, content_type="application/json", headers=self._headers)


def pointers(response) -> list[str]:
    assert response.headers["Content-Type"] == "application/problem+json"
    return [each.get("pointer") or each["parameter"] for each in response.json()["errors"]]


def test_a_finding_is_posted_and_read(call) -> None:
    experiment, parent = make_experiment(user=member()), make_finding()
    agent = call("agent")
    made = agent.post(URL, {**POST, "experiments": [experiment.pk], "parents": [parent.pk]})
    assert made.status_code == 201
    assert made.headers["Location"] == f"{URL}{made.json()['id']}/"
    read = agent.get(made.headers["Location"]).json()
    assert read == made.json()
    assert (read["kind"], read["author"], read["experiments"], read["parents"]) == (
        "result", "agent-caller", [experiment.pk], [parent.pk],
    )  # fmt: skip
    assert read["body"] == POST["body"]
    assert "<strong>a lot</strong>" in read["html"]
    assert agent.get(f"{URL}{parent.pk}/").json()["children"][0]["id"] == read["id"]
    assert Event.objects.filter(kind="finding.posted", subject=f"finding:{read['id']}").count() == 1


def test_what_a_finding_resembles_is_told_when_it_is_posted(call) -> None:
    earlier = make_finding(title="Temperature scaling of weak labels", body="Scaling the teacher's logits helped.")
    made = call().post(URL, {"kind": "hypothesis", "title": "Temperature scaling weak labels helps", "body": "Try it."})
    assert [each["id"] for each in made.json()["related"]] == [earlier.pk]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"kind": "rumour"}, "#/kind"),
        ({"title": ""}, "#/title"),
        ({"title": "x" * 201}, "#/title"),
        ({"title": "\u200b\u200b"}, "#/title"),
        ({"body": ""}, "#/body"),
        ({"body": "  \n "}, "#/body"),
        ({"body": "x" * 20_001}, "#/body"),
        ({"body": "a\x1bb"}, "#/body"),
        ({"body": "\u202egnp.exe"}, "#/body"),
        ({"body": "{{exp:1}}" * 101}, "#/body"),
        ({"experiments": [999_999]}, "#/experiments/0"),
        ({"experiments": "12"}, "#/experiments"),
        ({"experiments": list(range(1, 60))}, "#/experiments"),
        ({"parents": [2**70]}, "#/parents/0"),
        ({"parents": [999_999]}, "#/parents/0"),
        ({"author": "somebody"}, "#/author"),
    ],
)
def test_bad_input_is_named_with_its_place(call, change: dict, where: str) -> None:
    answer = call().post(URL, {**POST, **change})
    assert answer.status_code == 400
    assert pointers(answer) == [where]
    assert not Finding.objects.exists()


def test_the_limits_say_how_long_and_how_long_may_be(call) -> None:
    detail = call().post(URL, {**POST, "title": "x" * 201}).json()["errors"][0]["detail"]
    assert "200" in detail


@pytest.mark.parametrize(("role", "status"), [("agent", 201), ("researcher", 201), ("reviewer", 201), ("viewer", 403)])
def test_who_may_write(call, role: str, status: int) -> None:
    finding = make_finding()
    caller = call(role)
    assert caller.post(URL, POST).status_code == status
    assert caller.post(f"{URL}{finding.pk}/comments/", {"body": "Yes"}).status_code == status
    assert caller.post(f"{URL}{finding.pk}/vote/", {"value": 1}).status_code == (200 if status == 201 else 403)
    assert caller.get(URL).status_code == 200


@pytest.mark.parametrize(("role", "status"), [("agent", 403), ("researcher", 403), ("viewer", 403), ("reviewer", 200)])
@pytest.mark.parametrize("verb", ["hide", "unhide", "pin", "unpin"])
def test_who_may_hide_and_pin(call, role: str, status: int, verb: str) -> None:
    finding = make_finding()
    body = {"reason": "a duplicate"} if "hide" in verb else {}
    assert call(role).post(f"{URL}{finding.pk}/{verb}/", body).status_code == status


def test_without_a_token_nothing_is_told(roles) -> None:
    make_finding()
    assert Client().get(URL).status_code == 401


@pytest.mark.parametrize("verb", ["put", "patch", "delete"])
def test_there_is_no_way_to_change_or_delete(call, verb: str) -> None:
    finding = make_finding()
    for url in (URL, f"{URL}{finding.pk}/", f"{URL}{finding.pk}/comments/"):
        assert call("admin").other(verb, url).status_code == 405


@pytest.mark.parametrize("path", ["", "comments/", "vote/", "hide/", "pin/"])
def test_an_absent_finding_is_not_found(call, path: str) -> None:
    caller = call("reviewer")
    bodies = {"comments/": {"body": "x"}, "vote/": {"value": 1}, "hide/": {"reason": "x"}}
    for key in (999, 2**80):
        answer = caller.get(f"{URL}{key}/") if not path else caller.post(f"{URL}{key}/{path}", bodies.get(path))
        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/not-found"


def test_the_same_key_and_body_post_once(call) -> None:
    agent = call()
    first = agent.post(URL, POST, **{"Idempotency-Key": "k1"})
    again = agent.post(URL, POST, **{"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    clash = agent.post(URL, {**POST, "title": "Other"}, **{"Idempotency-Key": "k1"})
    assert clash.status_code == 409
    assert Finding.objects.count() == 1
    comments = f"{URL}{first.json()['id']}/comments/"
    assert agent.post(comments, {"body": "x"}, **{"Idempotency-Key": "k2"}).status_code == 201
    agent.post(comments, {"body": "x"}, **{"Idempotency-Key": "k2"})
    assert Comment.objects.count() == 1


def test_comments_come_in_order_and_in_pages(call) -> None:
    finding = make_finding()
    agent = call()
    for number in range(5):
        made = agent.post(f"{URL}{finding.pk}/comments/", {"body": f"comment *{number}*"})
        assert made.status_code == 201
        assert "<em>" in made.json()["html"]
    first = agent.get(f"{URL}{finding.pk}/comments/", page_size=3).json()
    assert [each["body"] for each in first["results"]] == ["comment *0*", "comment *1*", "comment *2*"]
    rest = agent.get(first["next"]).json()
    assert [each["body"] for each in rest["results"]] == ["comment *3*", "comment *4*"]
    detail = agent.get(f"{URL}{finding.pk}/").json()
    assert detail["comment_count"] == len(detail["comments"]) == 5


def test_a_vote_replaces_an_earlier_one(call) -> None:
    finding = make_finding()
    agent, other = call("agent"), call("researcher")
    url = f"{URL}{finding.pk}/vote/"
    assert agent.post(url, {"value": 1}).json() == {"finding": finding.pk, "value": 1, "score": 1, "ups": 1, "downs": 0}
    assert agent.post(url, {"value": 1}).json()["score"] == 1
    assert other.post(url, {"value": -1}).json()["score"] == 0
    assert agent.post(url, {"value": -1}).json() == {
        "finding": finding.pk, "value": -1, "score": -2, "ups": 0, "downs": 2,
    }  # fmt: skip
    assert agent.post(url, {"value": 0}).json()["score"] == -1
    assert agent.get(f"{URL}{finding.pk}/").json()["my_vote"] == 0
    assert other.get(f"{URL}{finding.pk}/").json()["my_vote"] == -1
    # one event per change, none for the repeated vote
    assert Event.objects.filter(kind="finding.voted").count() == 4


@pytest.mark.parametrize("value", [1, -1])
def test_nobody_votes_on_a_finding_of_their_own(call, value: int) -> None:
    agent = call("agent")
    made = agent.post(URL, POST).json()["id"]
    answer = agent.post(f"{URL}{made}/vote/", {"value": value})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/refused")
    assert f"finding {made} is your own" in answer.json()["detail"]
    assert not Vote.objects.exists()
    assert call("researcher").post(f"{URL}{made}/vote/", {"value": value}).json()["score"] == value


def test_a_vote_of_ones_own_from_before_may_be_taken_back(call) -> None:
    agent = call("agent")
    made = agent.post(URL, POST).json()["id"]
    Vote.objects.create(finding_id=made, user=Finding.objects.get().author, value=1)
    assert agent.post(f"{URL}{made}/vote/", {"value": 1}).status_code == 422
    assert agent.post(f"{URL}{made}/vote/", {"value": 0}).json()["score"] == 0


@pytest.mark.parametrize("value", [2, -2, "up", None, True, 0.5, [1]])
def test_a_vote_of_another_value_is_refused(call, value: object) -> None:
    finding = make_finding()
    answer = call().post(f"{URL}{finding.pk}/vote/", {"value": value})
    assert answer.status_code == 400
    assert pointers(answer) == ["#/value"]
    assert not Vote.objects.exists()


def test_filters(call) -> None:
    ann, bob = member(name="ann"), member(name="bob")
    experiment = make_experiment(user=ann)
    first = make_finding(ann, kind="hypothesis", experiments=[experiment.pk])
    second = make_finding(bob, kind="error", parents=[first.pk])
    third = make_finding(bob, kind="result", experiments=[experiment.pk])
    agent = call()

    def found(**query) -> list[int]:
        answer = agent.get(URL, **query)
        assert answer.status_code == 200, answer.content
        return [each["id"] for each in answer.json()["results"]]

    assert found() == [third.pk, second.pk, first.pk]
    assert found(kind="error") == [second.pk]
    assert found(author="bob") == [third.pk, second.pk]
    assert found(experiment=experiment.pk) == [third.pk, first.pk]
    assert found(parent=first.pk) == [second.pk]
    assert found(after=first.pk) == [third.pk, second.pk]
    assert found(after=second.created_at.isoformat()) == [third.pk]
    assert found(after="0352-02-17T19:45:06-21:31") == [
        third.pk,
        second.pk,
        first.pk,
    ]  # PostgreSQL knows no such offset
    assert found(ordering="id") == [first.pk, second.pk, third.pk]
    assert found(kind="result", author="ann") == []
    assert found(campaign=7) == []
    agent.post(f"{URL}{first.pk}/vote/", {"value": 1})
    agent.post(f"{URL}{third.pk}/vote/", {"value": -1})
    assert found(ordering="-score") == [first.pk, second.pk, third.pk]


@pytest.mark.parametrize(
    "query",
    [{"kind": "rumour"}, {"author": "nobody"}, {"experiment": "x"}, {"after": "yesterday"}, {"ordering": "luck"},
     {"page_size": 201}, {"cursor": "???"}, {"search": "x" * 301}, {"colour": "red"}],
)  # fmt: skip
def test_a_bad_query_is_named(call, query: dict) -> None:
    answer = call().get(URL, **query)
    assert answer.status_code == 400
    assert pointers(answer) == list(query)


def test_pages_do_not_skip_or_repeat_in_any_order(call) -> None:
    author, agent = member(), call()
    findings = [make_finding(author, title=f"kernel number {n}", body="kernel " * (1 + n % 3)) for n in range(11)]
    for finding in findings[::3]:
        agent.post(f"{URL}{finding.pk}/vote/", {"value": 1})
    for query in ({}, {"ordering": "id"}, {"ordering": "-score"}, {"search": "kernel"}):
        seen, url = [], URL
        while url:
            answer = agent.get(url, **({**query, "page_size": 4} if url == URL else {})).json()
            seen += [each["id"] for each in answer["results"]]
            url = answer["next"]
        assert sorted(seen) == sorted(each.pk for each in findings), query
        back = agent.get(answer["previous"]).json()
        assert [each["id"] for each in back["results"]] == seen[4:8]


def test_a_hidden_finding_is_absent_for_all_but_those_who_review(call) -> None:
    finding, reviewer = make_finding(), member("reviewer")
    child = make_finding(parents=[finding.pk])
    hide(user=reviewer, finding_id=finding.pk, reason="leaks a label")
    agent = call("agent")
    assert agent.get(f"{URL}{finding.pk}/").status_code == 404
    assert [each["id"] for each in agent.get(URL).json()["results"]] == [child.pk]
    assert agent.get(URL, search="doubt").json()["results"][0]["id"] == child.pk
    assert agent.post(f"{URL}{finding.pk}/comments/", {"body": "x"}).status_code == 404
    assert agent.post(URL, {**POST, "parents": [finding.pk]}).status_code == 400
    assert agent.get(f"{URL}{child.pk}/").json()["parents"] == [finding.pk]
    seen = call("reviewer").get(f"{URL}{finding.pk}/").json()
    assert (seen["hidden"]["reason"], seen["hidden"]["by"]) == ("leaks a label", reviewer.username)
    assert seen["body"] == finding.body


def test_hiding_needs_a_reason_and_stays_on_record(call) -> None:
    finding = make_finding()
    reviewer = call("reviewer")
    for body in ({}, {"reason": "  "}):
        assert pointers(reviewer.post(f"{URL}{finding.pk}/hide/", body)) == ["#/reason"]
    assert reviewer.post(f"{URL}{finding.pk}/hide/", {"reason": "off topic"}).status_code == 200
    assert reviewer.post(f"{URL}{finding.pk}/hide/", {"reason": "again"}).json()["hidden"]["reason"] == "off topic"
    assert reviewer.post(f"{URL}{finding.pk}/unhide/", {"reason": "it is not"}).json()["hidden"] is None
    assert call().get(f"{URL}{finding.pk}/").status_code == 200
    row = Hide.objects.get()
    assert (row.reason, row.lift_reason) == ("off topic", "it is not")
    assert [each.kind for each in Event.objects.order_by("id")] == ["finding.posted", "finding.hidden", "finding.shown"]


def test_a_hidden_comment_keeps_its_place_without_its_text(call) -> None:
    finding = make_finding()
    comment = make_comment(finding, body="the labels are 0 1 1 0")
    assert call("reviewer").post(f"/api/v1/comments/{comment.pk}/hide/", {"reason": "labels"}).status_code == 204
    for role, body in (("agent", ""), ("reviewer", "the labels are 0 1 1 0")):
        shown = call(role).get(f"{URL}{finding.pk}/").json()["comments"][0]
        assert (shown["body"], shown["hidden"]["reason"]) == (body, "labels")
        assert ("0 1 1 0" in shown["html"]) == bool(body)
    assert call("reviewer").post(f"/api/v1/comments/{comment.pk}/unhide/", {"reason": "no"}).status_code == 204
    assert call("agent").get(f"{URL}{finding.pk}/").json()["comments"][0]["body"] == "the labels are 0 1 1 0"


def test_pinned_findings_can_be_asked_for(call) -> None:
    finding = make_finding()
    make_finding()
    reviewer = call("reviewer")
    assert reviewer.post(f"{URL}{finding.pk}/pin/").json()["pinned"] is True
    assert reviewer.post(f"{URL}{finding.pk}/pin/").status_code == 200
    assert [each["id"] for each in call().get(URL, pinned="true").json()["results"]] == [finding.pk]
    assert reviewer.post(f"{URL}{finding.pk}/unpin/").json()["pinned"] is False
    assert [each.kind for each in Event.objects.filter(kind__contains="pinned").order_by("id")] == [
        "finding.pinned", "finding.unpinned",
    ]  # fmt: skip


@pytest.mark.parametrize("search", [{}, {"search": "doubt"}])
def test_the_number_of_queries_does_not_grow_with_the_page(call, search: dict) -> None:
    agent, author = call(), member()
    experiment = make_experiment(user=author)

    def add(count: int) -> None:
        for _ in range(count):
            finding = make_finding(author, body=f"doubt {{{{pgr exp:{experiment.pk}}}}}", experiments=[experiment.pk])
            make_comment(finding, author)

    def queries() -> int:
        agent.get(URL, **search)  # fills the cache of rendered texts
        with CaptureQueriesContext(connection) as captured:
            assert agent.get(URL, **search).status_code == 200
        return len(captured)

    add(2)
    few = queries()
    add(10)
    assert queries() == few
    assert few <= 14


def test_one_thread_is_read_in_a_bounded_number_of_queries(call) -> None:
    agent, author = call(), member()
    finding = make_finding(author)
    counts = []
    for _ in range(2):
        for _ in range(6):
            make_comment(finding, author, body=f"see {{{{finding:{finding.pk}}}}}")
        make_finding(author, parents=[finding.pk])
        with CaptureQueriesContext(connection) as captured:
            agent.get(f"{URL}{finding.pk}/")
        counts.append(len(captured))
    assert counts[1] <= counts[0] <= 20  # the first call also notes when the token was used


def test_news_of_a_campaigns_finding_is_in_both_logs(roles) -> None:
    author = the_agent(make_campaign())
    finding = make_finding(author.user)
    make_comment(finding)
    told = Event.objects.filter(subject=f"finding:{finding.pk}").order_by("id").values_list("campaign", "kind")
    assert list(told) == [
        (0, "finding.posted"),
        (author.campaign_id, "finding.posted"),
        (0, "comment.posted"),
        (author.campaign_id, "comment.posted"),
    ]
