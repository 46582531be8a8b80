"""tests agents/researchers/claude.py through the loop, against a server that speaks the Messages API."""

import json
import threading
import time

import pytest
from django.utils import timezone

from agents import gate, loop
from agents.lifecycle import ActionState, AgentState, StepState
from agents.loop import run_step
from agents.messages_api import client
from agents.messages_api.messages import most_tokens, to_messages
from agents.models import Action, Budget, Entry, Price, Step
from agents.researchers import claude
from agents.services.campaigns import AgentPlan
from agents.services.control import pause_agent
from experiments.models import Experiment
from tests.agents.conftest import make_campaign, the_agent
from tests.agents.messages_api import Fail, MessagesAPI, Say, Tool
from tests.factories import make_benchmark, make_method, make_user

pytestmark = pytest.mark.django_db
MODEL = "claude-opus-5-5"


@pytest.fixture
def api(settings):
    """A fresh server; its script is filled by the test."""
    with MessagesAPI([]) as server:
        settings.ANTHROPIC_BASE_URL = server.url
        client.client.cache_clear()
        claude._tools.cache_clear()
        yield server
    client.client.cache_clear()


@pytest.fixture
def agent(roles):
    Price.objects.get_or_create(
        model="claude-opus-5-5*",
        defaults={"input": 4_000_000, "output": 20_000_000, "cache_read": 200_000, "cache_write": 5_000_000},
    )
    plan = AgentPlan(researcher="claude", model=MODEL, direction="simplicity")
    return the_agent(make_campaign(agents=[plan], budgets={"money": 50_000_000, "tokens": 10_000_000}))


def step(agent):
    run_step(agent_id=agent.pk, worker="w")
    agent.refresh_from_db()


def test_a_reply_with_parallel_calls_is_streamed_acted_on_and_booked_to_the_micro_dollar(agent, api):
    make_method("vanilla")
    api.script += [
        Say("I look first", (Tool("list_methods"), Tool("leaderboard", {"benchmark": "bench-0"})), thinking="hm")
    ]
    step(agent)
    assert agent.state == AgentState.READY
    assert list(Action.objects.order_by("index").values_list("tool", "state")) == [
        ("list_methods", "done"),
        ("leaderboard", "done"),
    ]
    money = Budget.objects.get(kind="money")
    # 1000 in at $4, 300 out at $20, 200 read at $0.20, 50 written at $5 per million
    assert (money.spent, money.reserved) == (4000 + 6000 + 40 + 250, 0)
    reply = Entry.objects.get(kind="reply")
    assert [block["type"] for block in reply.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert reply.content[0]["signature"] == "sig"


def test_the_request_is_cached_thinks_adaptively_and_repeats_its_prefix(agent, api):
    api.script += [Say("one", (Tool("list_methods"),)), Say("two", (Tool("list_methods"),))]
    step(agent)
    step(agent)
    first, second = api.requests
    assert first["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert first["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert first["tools"] == second["tools"]
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    brief, again = first["messages"][0]["content"][0], second["messages"][0]["content"][0]
    assert brief["text"] == again["text"]
    last = second["messages"][-1]["content"]
    assert last[0]["type"] == "tool_result"
    assert last[0]["cache_control"] == {"type": "ephemeral"}
    assert "Left of your budgets" in last[-1]["text"]


def test_a_model_of_before_adaptive_thinking_is_not_asked_for_it(roles, api):
    Price.objects.create(model="claude-haiku-4-5", input=1, output=1, cache_read=1, cache_write=1)
    plan = AgentPlan(researcher="claude", model="claude-haiku-4-5", direction="simplicity")
    agent = the_agent(make_campaign(agents=[plan]))
    api.script += [Say("hello", (Tool("list_methods"),))]
    step(agent)
    assert "thinking" not in api.requests[0]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ('{"limit": NaN}', "NaN is no JSON number"),
        ('{"limit": 1e999}', "1e999 is no JSON number"),
        ('{"a": ' * 30 + "1" + "}" * 30, "nested more than 20 deep"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deep"),
        ("[1, 2]", "must be a JSON object"),
    ],
)
def test_arguments_that_no_tool_could_take_are_told_to_the_model(agent, api, raw, words):
    api.script += [Say("go", (Tool("leaderboard", raw=raw),)), Say("on", (Tool("list_methods"),))]
    step(agent)
    assert words in Entry.objects.get(kind="results").content[0]["content"]
    step(agent)
    assert agent.state == AgentState.READY
    assert Action.objects.filter(state=ActionState.DONE).count() == 1


def test_invalid_json_in_a_call_is_told_to_the_model_and_not_run(agent, api):
    api.script += [Say("go", (Tool("leaderboard", raw='{"benchmark": "x'), Tool("list_methods")))]
    step(agent)
    bad, good = Action.objects.order_by("index")
    assert (bad.state, good.state) == (ActionState.FAILED, ActionState.DONE)
    assert "not valid JSON" in Entry.objects.get(kind="results").content[0]["content"]


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (Fail(429, "rate_limit_error", retry_after="45"), AgentState.WAITING, "rate_limit_error (429)"),
        (Fail(500, "api_error"), AgentState.WAITING, "api_error (500)"),
        (Fail(529, "overloaded_error"), AgentState.WAITING, "overloaded_error (529)"),
        (Fail(200, "overloaded_error", in_stream=True), AgentState.WAITING, "overloaded_error"),
        (Say("I was going to say", cut_after=4), AgentState.WAITING, "stream"),
        (Say(""), AgentState.WAITING, "answered with nothing"),
        (Say("no", stop="refusal"), AgentState.WAITING, "refused"),
        (Fail(401, "authentication_error"), AgentState.FAILED, "authentication_error (401)"),
        (Fail(404, "not_found_error"), AgentState.FAILED, "not_found_error (404)"),
    ],
)
def test_what_goes_wrong_is_shown_on_the_card_and_never_ends_the_campaign(agent, api, answer, state, words):
    api.script += [answer]
    step(agent)
    assert agent.state == state
    assert words in agent.error
    assert Step.objects.get().state == StepState.FAILED
    assert Budget.objects.get(kind="money").reserved == 0
    agent.campaign.refresh_from_db()
    assert agent.campaign.state == "running"


def test_retry_after_is_honoured_and_the_next_try_goes_on_from_the_same_transcript(agent, api):
    api.script += [Fail(429, "rate_limit_error", retry_after="45"), Say("better", (Tool("list_methods"),))]
    step(agent)
    assert 40 < (agent.wake_at - timezone.now()).total_seconds() <= 45
    type(agent).objects.update(wake_at=timezone.now())
    step(agent)
    assert agent.state == AgentState.READY
    assert agent.failures == 0
    assert api.requests[0]["messages"][0]["content"][0] == api.requests[1]["messages"][0]["content"][0]


def test_a_third_refusal_in_a_row_waits_for_a_person(agent, api):
    for _ in range(3):
        api.script += [Say("no", stop="refusal")]
        type(agent).objects.update(wake_at=timezone.now())
        step(agent)
    assert agent.state == AgentState.FAILED


def test_a_reply_cut_at_max_tokens_keeps_its_whole_calls_and_says_so_next_time(agent, api):
    calls = (Tool("list_methods"), Tool("leaderboard", raw='{"bench'))
    api.script += [Say("long", calls, stop="max_tokens"), Say("short", (Tool("list_methods"),))]
    step(agent)
    whole, cut = Action.objects.order_by("index")
    assert whole.state == ActionState.DONE
    assert "cut off" in cut.result
    step(agent)
    assert "was cut off" in api.requests[1]["messages"][-1]["content"][-1]["text"]


def test_a_full_window_is_summed_up_and_the_brief_stays(agent, api, settings):
    settings.CLAUDE_CONTEXT_TOKENS = 10_000
    api.script += [
        Say("x " * 30_000, (Tool("list_methods"),)),
        Say("I had learned that nothing works."),
        Say("on", (Tool("list_methods"),)),
    ]
    step(agent)
    step(agent)
    step(agent)
    assert api.requests[1]["tool_choice"] == {"type": "none"}
    texts = json.dumps(api.requests[2]["messages"])
    assert "I had learned that nothing works." in texts
    assert "Campaign: Test" in texts
    assert "x x x x" not in texts


def test_who_streams_looks_often_enough_to_be_gone_within_a_second():
    assert loop.LOOK_SECONDS <= 0.5


def test_pause_now_cuts_the_stream_and_books_what_was_said(agent, api):
    reviewer = make_user("reviewer")
    took = []
    api.script += [Say("word " * 4000, pause=0.02)]
    real = claude.ClaudeResearcher.think

    def think(self, view, *, say, may_go_on):
        heard = []

        def listen(text):
            say(text)
            heard.append(text)
            if len(heard) == 3:
                pause_agent(user=reviewer, agent_id=agent.pk, reason="stop", now=True)
                took.append(time.monotonic())

        return real(self, view, say=listen, may_go_on=may_go_on)

    claude.ClaudeResearcher.think = think
    try:
        step(agent)
    finally:
        claude.ClaudeResearcher.think = real
    assert time.monotonic() - took[-1] < 20  # on a busy machine; to its end it takes 80 s
    failed = Step.objects.get()
    assert failed.partial.startswith("word word word")
    assert agent.state == AgentState.PAUSED
    assert 0 < Budget.objects.get(kind="money").spent < 20_000


def test_an_experiment_is_submitted_through_the_same_service(roles, api):
    make_method("vanilla")
    benchmark = make_benchmark("geo")
    plan = AgentPlan(researcher="claude", model=MODEL, direction="simplicity")
    agent = the_agent(make_campaign(agents=[plan], benchmark=benchmark))
    arguments = {"benchmark": "geo", "method": "vanilla", "title": "t", "hypothesis": "h", "seeds": 2}
    api.script += [
        Say("go", (Tool("submit_experiment", arguments),)),
        lambda request: Say("wait", (Tool("wait", {"experiments": [Experiment.objects.get().pk]}),)),
    ]
    step(agent)
    made = Experiment.objects.get()
    assert (made.submitter_id, made.campaign, made.seeds) == (agent.user_id, agent.campaign_id, 2)


def test_a_model_without_a_price_cannot_run_under_a_money_budget(roles):
    from agents.errors import NoPrice

    plan = AgentPlan(researcher="claude", model="claude-unheard-of", direction="simplicity")
    with pytest.raises(NoPrice, match="claude-unheard-of"):
        make_campaign(agents=[plan], budgets={"money": 1})


def test_the_upper_bound_of_tokens_holds_for_words_code_and_other_scripts():
    texts = [("hello world " * 50, 101), ("日本語" * 50, 150), ('{"a": [1, 2]}' * 20, 180), ("0 7 " * 50, 150)]
    for text, tokens in texts:
        assert most_tokens(text) - 1_000 >= tokens  # the frame would hide a bound too low


def test_results_come_first_in_a_user_message_whatever_was_said_in_between():
    class E:
        def __init__(self, role, content):
            self.role, self.content, self.kind = role, content, "x"

    entries = [
        E("user", [{"type": "text", "text": "brief"}]),
        E("assistant", [{"type": "tool_use", "id": "1", "name": "t", "input": {}}]),
        E("user", [{"type": "text", "text": "a person"}]),
        E("user", [{"type": "tool_result", "tool_use_id": "1", "content": "r"}]),
    ]
    messages = to_messages(entries, "status")
    assert [block["type"] for block in messages[-1]["content"]] == ["tool_result", "text", "text"]


def test_pause_now_leaves_a_model_that_has_not_said_a_word(agent, api):
    """The server thinks for long before its first byte: nothing of a stream is there to be cut."""
    reviewer, hung_up = make_user("reviewer"), threading.Event()

    def slow(request):
        hung_up.wait(60)
        return Say("too late")

    api.script += [slow]
    looks = []
    original = gate.cancel_at_once

    def look(agent_id):
        looks.append(time.monotonic())
        if len(looks) == 3:
            pause_agent(user=reviewer, agent_id=agent_id, reason="stop", now=True)
        return original(agent_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "cancel_at_once", look)
        started = time.monotonic()
        step(agent)
    assert time.monotonic() - started < 20  # on a busy machine; the server thinks for 60 s
    hung_up.set()
    assert (agent.state, Step.objects.get().error) == (AgentState.PAUSED, "cancelled by a reviewer")
    money = Budget.objects.get(kind="money")
    assert money.reserved == 0
    assert money.spent > 0  # what was sent is paid for


def test_a_cut_stream_is_cut_for_the_server_too(agent, api):
    """Output tokens that nobody reads cost money."""
    reviewer, gone = make_user("reviewer"), threading.Event()
    api.script += [Say("word " * 2000, pause=0.02, gone=gone)]
    original = gate.cancel_at_once

    def look(agent_id):
        pause_agent(user=reviewer, agent_id=agent_id, reason="stop", now=True)
        return original(agent_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "cancel_at_once", look)
        step(agent)
    assert gone.wait(30)
    assert agent.state == AgentState.PAUSED
