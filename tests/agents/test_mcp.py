"""tests aarweb/mcp.py and agents/outside.py: the SDK's own client against the lab's web process over loopback."""

import http.client
import json
from contextlib import asynccontextmanager

import httpx2
import pytest
from channels.db import database_sync_to_async as in_thread
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from agents import outside
from agents.lifecycle import AgentState
from agents.models import Action, Agent, Budget, Entry, Latch, Step
from agents.services.campaigns import AgentPlan, freeze_campaign
from agents.services.control import message_agent, pause_agent, resume_agent
from agents.services.tokens import revoke_token, token_for
from experiments.lifecycle import ExperimentState
from experiments.models import Event, Experiment
from forum.models import Finding
from oversight.models import Refusal
from oversight.refusals import MOST_AN_HOUR
from tests.agents.conftest import make_campaign, the_agent
from tests.agents.processes import HOST, LabServer
from tests.factories import make_experiment, make_method, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SUBMISSION = {"benchmark": "bench-0", "method": "logconf", "title": "Self-confidence", "hypothesis": "It sharpens"}


@pytest.fixture(scope="module")
def lab(django_db_setup, django_db_blocker):
    """One web process for the module; it keeps nothing between requests."""
    with django_db_blocker.unblock(), LabServer() as server:
        yield server


def outsider(budgets=None, **fields):
    """An outside agent of a running campaign, and its token."""
    make_method("logconf")
    plans = [AgentPlan(researcher="outside", direction="simplicity")]
    agent = the_agent(make_campaign(agents=plans, budgets=budgets or {}, **fields))
    return agent, token_for(agent.user)[1]


@asynccontextmanager
async def connected(lab, token, mode="auto"):
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(f"{lab.url}/mcp/", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


async def call(client, tool, **arguments):
    """Text and whether it is an error."""
    result = await client.call_tool(tool, arguments)
    return result.content[0].text, bool(result.is_error)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_tools_are_those_of_the_registry_that_make_sense_outside(lab, mode):
    _, token = await in_thread(outsider)()
    async with connected(lab, token, mode) as client:
        listed = (await client.list_tools()).tools
    assert [each.name for each in listed] == [each.name for each in outside.outside_tools()]
    by_name = {each.name: each for each in listed}
    assert {"news", "submit_experiment", "post_finding", "finish"} <= set(by_name)
    assert by_name["submit_experiment"].input_schema["required"] == ["benchmark", "title", "hypothesis"]
    assert by_name["leaderboard"].annotations.read_only_hint is True
    assert by_name["vote"].annotations.read_only_hint is False


async def test_an_agent_does_its_research_by_mcp_and_people_see_each_call(lab):
    agent, token = await in_thread(outsider)(budgets={"gpu_seconds": 1000})
    async with connected(lab, token) as client:
        text, failed = await call(client, "news")
        assert not failed
        assert f"You are {agent.name}" in text
        assert "gpu_seconds (campaign): 1,000 s left of 1,000 s" in text
        text, failed = await call(client, "submit_experiment", **SUBMISSION)
        assert not failed, text
        made = await in_thread(Experiment.objects.get)()
        assert f"#{made.pk} is queued" in text
        await call(client, "notebook", body="# What I know")
        text, failed = await call(client, "post_finding", kind="hypothesis", title="A guess", body="I expect little.")
        assert not failed, text
        text, _ = await call(client, "news")
        assert "# What I know" in text
        text, failed = await call(client, "finish", summary="It sharpens.")
        assert not failed, text
        text, failed = await call(client, "post_finding", kind="insight", title="Late", body="Too late.")
        assert failed
        assert "the agent has finished" in text

    def seen():
        agent.refresh_from_db()
        assert made.submitter_id == agent.user_id
        assert made.campaign == agent.campaign_id
        assert Finding.objects.get().author_id == agent.user_id
        assert agent.state == AgentState.FINISHED
        tools = ["news", "submit_experiment", "notebook", "post_finding", "news", "finish"]
        assert list(Action.objects.order_by("id").values_list("tool", flat=True)) == tools
        assert set(Step.objects.values_list("stop_reason", flat=True)) == {"outside"}
        replies = Entry.objects.filter(agent=agent, kind="reply").order_by("number")
        assert [each.content[0]["text"] for each in replies] == ["Called from outside, by MCP."] * len(tools)
        told = Event.objects.filter(campaign=agent.campaign_id, kind="action.finished")
        assert [each.payload["tool"] for each in told.order_by("number")] == tools
        assert all(each.payload["outside"] for each in told)
        held = Budget.objects.get(kind="gpu_seconds")
        assert held.reserved == made.seeds  # a second per seed of a probe

    await in_thread(seen)()


async def test_budgets_hold(lab):
    _, token = await in_thread(outsider)(budgets={"gpu_seconds": 5})
    async with connected(lab, token) as client:
        _, failed = await call(client, "submit_experiment", seeds=5, **SUBMISSION)
        assert not failed
        text, failed = await call(client, "submit_experiment", seeds=1, **SUBMISSION)
    assert failed
    assert "the gpu seconds budget of the campaign has 0 s left of 5 s" in text
    assert await in_thread(Experiment.objects.count)() == 1
    assert await in_thread(lambda: Budget.objects.get(kind="gpu_seconds").reserved)() == 5
    assert await in_thread(lambda: Action.objects.filter(is_error=True).count())() == 1


async def test_a_paused_agent_reads_and_writes_nothing_and_is_told_which_latch_holds_it_since_when(lab):
    agent, token = await in_thread(outsider)()
    reviewer = await in_thread(make_user)("reviewer")
    async with connected(lab, token) as client:
        await in_thread(pause_agent)(user=reviewer, agent_id=agent.pk, reason="let me look")
        latch = await in_thread(Latch.objects.get)()
        assert latch.confirmed_at is not None
        text, failed = await call(client, "post_finding", kind="insight", title="No", body="Not now.")
        assert failed
        assert "held by the latch 'reviewer'" in text
        assert f"since {latch.set_at:%Y-%m-%dT%H:%M:%SZ}" in text
        assert "let me look" in text
        assert (await call(client, "leaderboard", benchmark="bench-0"))[1] is False
        assert not await in_thread(Finding.objects.exists)()
        await in_thread(resume_agent)(user=reviewer, agent_id=agent.pk, reason="fine")
        assert (await call(client, "post_finding", kind="insight", title="Now", body="Now it may."))[1] is False
        await in_thread(freeze_campaign)(user=reviewer, campaign_id=agent.campaign_id, reason="odd scores")
        text, failed = await call(client, "notebook", body="x")
    assert failed
    assert "held by the latch 'frozen' since 2" in text


async def test_messages_and_news_come_once_each_and_are_not_lost_by_asking_twice(lab):
    agent, token = await in_thread(outsider)()
    reviewer = await in_thread(make_user)("reviewer")
    async with connected(lab, token) as client:
        text, _ = await call(client, "news")
        since = text.rpartition("since: ")[2]
        await in_thread(message_agent)(user=reviewer, agent_id=agent.pk, text="try fewer seeds")
        for _ in range(2):
            text, _ = await call(client, "news", since=since)
            assert text.count("try fewer seeds") == 1
        text, _ = await call(client, "news", since=text.rpartition("since: ")[2])
        assert "try fewer seeds" not in text
        text, failed = await call(client, "news", since="yesterday")
    assert failed
    assert "expected `since` of an earlier answer" in text


async def test_waiting_ends_when_the_experiment_has(lab):
    agent, token = await in_thread(outsider)()
    ended = await in_thread(make_experiment)(user=agent.user, state=ExperimentState.SCORED, dev=0.4)
    running = await in_thread(make_experiment)(user=agent.user, state=ExperimentState.QUEUED)
    async with connected(lab, token) as client:
        text, failed = await call(client, "wait", experiments=[ended.pk, running.pk], seconds=1)
        assert (f"#{running.pk}" in text, failed) == (True, False)
        assert "Still at work" in text
        text, _ = await call(client, "wait", experiments=[ended.pk])
        assert "dev PGR 0.400" in text


async def test_what_makes_no_sense_is_a_tool_error_that_says_what_is_allowed(lab):
    _, token = await in_thread(outsider)()
    async with connected(lab, token) as client:
        text, failed = await call(client, "shell", command="ls")
        assert failed
        assert "unknown tool 'shell'; known: comment, finish" in text
        text, failed = await call(client, "vote", finding=1, value=7)
        assert failed
        assert "value: Input should be 1, -1 or 0" in text
        text, failed = await call(client, "vote", finding=999, value=1)
        assert failed
        assert "999" in text
        text, failed = await call(client, "post_finding", kind="insight", title="N\x00UL", body="b")
        assert failed
        assert "\x00" not in json.dumps(await in_thread(lambda: Action.objects.last().arguments)())


async def test_a_token_that_may_only_read_reads(lab):
    agent, _ = await in_thread(outsider)()
    _, token = await in_thread(token_for)(agent.user, scopes=["read"])
    async with connected(lab, token) as client:
        assert (await call(client, "list_methods"))[1] is False
        text, failed = await call(client, "notebook", body="x")
    assert failed
    assert "lacks the scope 'write'" in text


def post(lab, token=None, body=None, method="POST", path="/mcp/"):
    connection = http.client.HTTPConnection(HOST, lab.port, timeout=30)
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    request = body or {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    connection.request(method, path, json.dumps(request) if method == "POST" else None, headers)
    answer = connection.getresponse()
    told = json.loads(answer.read() or b"{}")
    connection.close()
    return answer.status, told, answer.headers


def test_whoever_may_not_come_in_is_told_so_as_by_the_api(lab):
    agent, token = outsider()
    status, told, headers = post(lab)
    assert (status, told["type"], headers["WWW-Authenticate"]) == (401, "/problems/unauthenticated", "Bearer")
    assert post(lab, "aar_unknown")[0] == 401
    _, of_a_person = token_for(make_user("reviewer"))
    status, told, _ = post(lab, of_a_person)
    assert (status, told["type"]) == (403, "/problems/forbidden")
    assert "no agent of a campaign" in told["detail"]
    assert post(lab, token)[0] == 200
    assert post(lab, token, path="/mcp")[0] == 200
    status, told, headers = post(lab, token, method="GET")
    assert (status, headers["Allow"]) == (405, "POST")
    row, other = token_for(agent.user)
    revoke_token(token_id=row.pk)
    assert post(lab, other)[0] == 401


def test_an_agent_that_the_lab_drives_is_not_called_from_outside():
    agent = the_agent(make_campaign())
    make_method("logconf")
    for tool, given in (("news", {}), ("notebook", {"body": "x"})):
        result = outside.call_tool(agent_id=agent.pk, name=tool, given=given, scopes=["read", "write"])
        assert result.is_error
        assert "is driven by the lab (search)" in result.text
    assert not Entry.objects.exists()


def test_a_tool_that_breaks_leaves_nothing_half_done_and_tells_no_internals(monkeypatch):
    agent, _ = outsider()
    from agents.tools.post_finding import PostFinding

    original = PostFinding.run

    def breaks_late(self, actor, arguments):
        original(self, actor, arguments)
        raise RuntimeError("secret path /x")

    monkeypatch.setattr(PostFinding, "run", breaks_late)
    given = {"kind": "insight", "title": "Half", "body": "Not whole."}
    result = outside.call_tool(agent_id=agent.pk, name="post_finding", given=given, scopes=["read", "write"])
    assert (result.text, result.is_error) == ("the tool failed: RuntimeError", True)
    assert not Finding.objects.exists()
    assert Action.objects.get().state == "failed"
    assert Agent.objects.get().state == AgentState.READY


async def test_what_the_lab_refuses_is_written_down_as_by_rest(lab):
    """Over budget 429, forbidden 403: what detectors count must not depend on the door."""
    agent, token = await in_thread(outsider)(budgets={"gpu_seconds": 1})
    _, reading = await in_thread(token_for)(agent.user, scopes=["read"])
    async with connected(lab, token) as client:
        assert (await call(client, "submit_experiment", seeds=9, **SUBMISSION))[1] is True
        assert (await call(client, "comment", finding=999, body="x"))[1] is True  # a mistake, and no refusal
        assert (await call(client, "no_such_tool"))[1] is True
    async with connected(lab, reading) as client:
        assert (await call(client, "notebook", body="x"))[1] is True
    rows = await in_thread(lambda: list(Refusal.objects.order_by("id").values_list("what", "account", "path")))()
    assert rows == [
        ("over_budget", agent.user_id, "/mcp/submit_experiment"),
        ("forbidden", agent.user_id, "/mcp/notebook"),
    ]


def test_whoever_is_turned_away_at_the_door_is_written_down(lab):
    agent, _ = outsider()
    person = make_user("reviewer")
    assert post(lab, token_for(person)[1])[0] == 403
    assert post(lab, token_for(agent.user, scopes=["write"])[1])[0] == 403
    assert post(lab, "aar_unknown")[0] == 401  # nobody's
    rows = Refusal.objects.order_by("id").values_list("what", "account", "path")
    assert list(rows) == [("forbidden", person.pk, "/mcp/"), ("forbidden", agent.user_id, "/mcp/")]


def test_no_more_than_so_many_an_hour_are_written_down_whatever_the_door(lab):
    agent, _ = outsider()
    token = token_for(agent.user, scopes=["write"])[1]
    for _ in range(MOST_AN_HOUR + 3):
        assert post(lab, token)[0] == 403
    assert Refusal.objects.count() == MOST_AN_HOUR
