"""tests agents/api: campaigns, agents and their controls, by role."""

import pytest
from rest_framework.test import APIClient

from agents.services.control import pause_agent
from agents.services.tokens import create_token, token_for
from experiments.models import Event
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_benchmark, make_method, make_user

pytestmark = pytest.mark.django_db

BODY = {
    "name": "First",
    "benchmarks": ["geo"],
    "agents": [{"researcher": "search", "direction": "simplicity", "budget": {"gpu_seconds": 100}}],
    "budget": {"money": "12.5", "tokens": 1000},
}


def client(role="researcher", name="r"):
    _, token = create_token(name=name, role=role)
    return speaker(token)


def speaker(token):
    made = APIClient()
    made.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return made


@pytest.fixture
def researcher(roles):
    make_benchmark("geo")
    return client()


def post(caller, path, body=None, **headers):
    return caller.post(f"/api/v1/{path}", body or {}, format="json", **headers)


def test_a_campaign_is_made_as_a_draft_and_started(researcher):
    made = post(researcher, "campaigns/", BODY)
    assert made.status_code == 201
    assert (made.json()["state"], made.json()["benchmarks"]) == ("draft", ["geo"])
    money = next(each for each in made.json()["budgets"] if each["kind"] == "money")
    assert money["limit"] == 12_500_000
    started = post(researcher, f"campaigns/{made.json()['id']}/start/")
    assert started.json()["state"] == "running"
    assert post(researcher, f"campaigns/{made.json()['id']}/start/").status_code == 200


def test_the_same_key_makes_one_campaign(researcher):
    first = post(researcher, "campaigns/", BODY, HTTP_IDEMPOTENCY_KEY="k")
    again = post(researcher, "campaigns/", BODY, HTTP_IDEMPOTENCY_KEY="k")
    assert first.json()["id"] == again.json()["id"]
    assert post(researcher, "campaigns/", {**BODY, "name": "x"}, HTTP_IDEMPOTENCY_KEY="k").status_code == 409


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"benchmarks": ["nope"]}, "#/benchmarks/0"),
        ({"benchmarks": []}, "#/benchmarks"),
        ({"agents": []}, "#/agents"),
        ({"agents": [{"researcher": "robot", "direction": "x"}]}, "#/agents/0/researcher"),
        ({"agents": [{"researcher": "search", "direction": "unheard of"}]}, "#/agents/0/direction"),
        ({"agents": [{"researcher": "claude", "direction": "critics"}]}, "#/agents/0/model"),
        ({"budget": {"money": -1}}, "#/budget/money"),
        ({"budget": {"moneyy": 1}}, "#/budget/moneyy"),
        ({"deadline": "2001-01-01T00:00:00Z"}, "#/deadline"),
        ({"name": ""}, "#/name"),
    ],
)
def test_bad_input_names_the_field(researcher, change, pointer):
    answer = post(researcher, "campaigns/", {**BODY, **change})
    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_a_model_without_a_price_is_422_under_a_money_budget(researcher):
    agents = [{"researcher": "claude", "direction": "critics", "model": "claude-unheard-of"}]
    answer = post(researcher, "campaigns/", {**BODY, "agents": agents})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/no-price")


def test_viewers_and_agents_make_no_campaigns(roles):
    make_benchmark("geo")
    for role in ("viewer", "agent"):
        assert post(client(role, role), "campaigns/", BODY).status_code == 403


def test_an_agent_sees_its_own_campaign_and_itself_alone(roles):
    mine = make_campaign()
    other = make_campaign()
    _, token = token_for(the_agent(mine).user)
    agent = speaker(token)
    listed = agent.get("/api/v1/campaigns/").json()["results"]
    assert [each["id"] for each in listed] == [mine.pk]
    assert agent.get(f"/api/v1/campaigns/{other.pk}/").status_code == 404
    assert agent.get(f"/api/v1/agents/{the_agent(other).pk}/").status_code == 404
    assert agent.get(f"/api/v1/agents/{the_agent(other).pk}/transcript/").status_code == 404


def test_me_tells_an_agent_what_it_is_and_what_is_left(roles):
    campaign = make_campaign(budgets={"tokens": 500})
    _, token = token_for(the_agent(campaign).user)
    told = speaker(token).get("/api/v1/me/").json()
    assert told["agent"]["campaign"] == campaign.pk
    assert told["agent"]["direction"] == "simplicity"
    assert told["limits"] == [
        {"whose": "campaign", "kind": "tokens", "limit": 500, "spent": 0, "reserved": 0, "left": 500}
    ]


def test_a_paused_agent_reads_and_writes_nothing(roles):
    campaign = make_campaign()
    agent = the_agent(campaign)
    _, token = token_for(agent.user)
    caller = speaker(token)
    make_method("vanilla")
    pause_agent(user=make_user("reviewer"), agent_id=agent.pk, reason="have a look")
    body = {"benchmark": campaign.benchmark_slugs[0], "method": {"recipe": "vanilla", "options": {}}, "title": "t"}
    for path, sent in (("experiments/", body), ("findings/", {}), ("events/", {}), ("evaluations/", {})):
        answer = post(caller, path, sent)
        assert answer.status_code == 423, path
        assert answer.json()["latch"] == "reviewer"
        assert answer.json()["since"]
    assert caller.get("/api/v1/me/").status_code == 200
    assert caller.put("/api/v1/me/notebook/", {"body": "x"}, format="json").status_code == 423


def test_a_frozen_campaign_answers_423_to_its_agents(roles):
    campaign = make_campaign()
    reviewer = client("reviewer", "rev")
    assert post(reviewer, f"campaigns/{campaign.pk}/freeze/").status_code == 400
    assert post(reviewer, f"campaigns/{campaign.pk}/freeze/", {"reason": "odd scores"}).json()["state"] == "frozen"
    _, token = token_for(the_agent(campaign).user)
    answer = post(speaker(token), "events/", {"kind": "message", "text": "hello"})
    assert (answer.status_code, answer.json()["latch"]) == (423, "frozen")
    assert post(reviewer, f"campaigns/{campaign.pk}/thaw/").json()["state"] == "running"
    assert post(speaker(token), "events/", {"kind": "message", "text": "hello"}).status_code == 201


def test_pause_resume_and_stop_need_a_reviewer_and_a_reason_and_are_harmless_twice(roles):
    agent = the_agent(make_campaign())
    reviewer, researcher = client("reviewer", "rev"), client("researcher", "res")
    path = f"agents/{agent.pk}/"
    assert post(researcher, f"{path}pause/", {"reason": "x"}).status_code == 403
    assert post(reviewer, f"{path}pause/").json()["errors"][0]["pointer"] == "#/reason"
    for _ in range(2):
        answer = post(reviewer, f"{path}pause/", {"reason": "x", "now": True})
        assert answer.json()["state"] == "paused"
        assert len(answer.json()["latches"]) == 1
    assert post(reviewer, f"{path}resume/", {"reason": "y"}).json()["state"] == "ready"
    for _ in range(2):
        assert post(reviewer, f"{path}stop/", {"reason": "z"}).json()["state"] == "stopped"
    assert post(reviewer, f"{path}resume/", {"reason": "y"}).status_code == 409


def test_stop_revokes_the_token_first(roles):
    agent = the_agent(make_campaign())
    _, token = token_for(agent.user)
    post(client("reviewer", "rev"), f"agents/{agent.pk}/stop/", {"reason": "enough"})
    assert speaker(token).get("/api/v1/me/").status_code == 401


def test_the_notebook_keeps_versions(roles):
    agent = the_agent(make_campaign())
    _, token = token_for(agent.user)
    caller = speaker(token)
    assert caller.get("/api/v1/me/notebook/").json()["version"] == 0
    for text, version in (("one", 1), ("two", 2), ("two", 2)):
        answer = caller.put("/api/v1/me/notebook/", {"body": text}, format="json")
        assert answer.json()["version"] == version
    assert client("viewer", "v").get("/api/v1/me/notebook/").status_code == 404


def test_what_an_outside_agent_reports_is_marked_as_its_own_word(roles):
    agent = the_agent(make_campaign())
    _, token = token_for(agent.user)
    answer = post(speaker(token), "events/", {"kind": "tool_call", "text": "ls", "tool": "shell"})
    event = Event.objects.get(campaign=agent.campaign_id, number=answer.json()["number"])
    assert event.payload["self_reported"] is True
    assert event.kind == "report.tool_call"


def test_a_submission_by_rest_is_held_for_and_told_in_the_campaign(roles):
    campaign = make_campaign(budgets={"gpu_seconds": 5})
    agent = the_agent(campaign)
    make_method("vanilla")
    _, token = token_for(agent.user)
    body = {
        "benchmark": campaign.benchmark_slugs[0], "method": {"recipe": "vanilla", "options": {}}, "title": "t",
        "seeds": 4,
    }  # fmt: skip
    first = post(speaker(token), "experiments/", body)
    assert first.status_code == 202
    assert Event.objects.filter(campaign=campaign.pk, kind="experiment.submitted").exists()
    second = post(speaker(token), "experiments/", body)
    assert (second.status_code, second.json()["budget"]) == (429, "gpu_seconds")
