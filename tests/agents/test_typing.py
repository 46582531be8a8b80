"""What an agent says reaches who watches within a period of one shared timer, also when it says nothing more."""

import json
import threading

import pytest

from agents import live
from agents.models import Agent, Step
from experiments.live import client

AGENT = Agent(pk=7, campaign_id=3)


@pytest.fixture
def heard():
    """Texts as viewers get them, in order; waits until one is there."""
    with client().pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(live.channel(live.CHANNEL))
        channel.get_message(timeout=30)  # the subscription itself
        yield lambda: json.loads(channel.get_message(timeout=30)["data"])["text"]


@pytest.fixture
def timer():
    """A timer whose periods pass when a test says so."""
    return live.Timer(start=lambda run: None)


def test_the_last_words_are_sent_though_nothing_comes_after_them(heard):
    with live.Typing(AGENT, Step(number=1)) as typing:
        typing.say("one ")
        said = heard()
        typing.say("two, and then nothing for a long time")
        said += heard()
        assert said == "one two, and then nothing for a long time"


def test_a_period_gathers_what_was_said_in_it(heard, timer):
    with live.Typing(AGENT, Step(number=1), timer=timer) as typing:
        for word in ["a", "b", "c", ""]:
            typing.say(word)
        timer.tick()
        timer.tick()  # nothing was said: nothing is sent
        typing.say("d")
        timer.tick()
        typing.say("e")
    assert [heard(), heard(), heard()] == ["abc", "d", "e"]  # the end of the block does not wait for a period


def test_all_that_speak_share_one_timer_which_rests_when_nobody_does():
    started = []
    timer = live.Timer(start=started.append)
    with live.Typing(AGENT, Step(number=1), timer=timer), live.Typing(AGENT, Step(number=2), timer=timer):
        assert len(started) == 1
        assert timer.speaking == 2
    assert timer.speaking == 0
    with live.Typing(AGENT, Step(number=3)):
        pass
    assert sum(thread.name == "typing" for thread in threading.enumerate()) == 1


def test_a_broker_that_is_away_costs_only_the_live_view(timer, monkeypatch):
    def away():
        raise live.redis.ConnectionError("away")

    monkeypatch.setattr(live, "client", away)
    with live.Typing(AGENT, Step(number=1), timer=timer) as typing:
        typing.say("a")
        timer.tick()


def test_an_error_of_any_kind_costs_only_the_words_it_struck(heard, monkeypatch):
    struck = threading.Event()

    def broken():
        struck.set()
        raise ValueError("no such address")

    with live.Typing(AGENT, Step(number=1)) as typing:
        with monkeypatch.context() as patch:
            patch.setattr(live, "client", broken)
            typing.say("lost")
            assert struck.wait(timeout=30)
        typing.say("sent by the same thread")
        assert heard() == "sent by the same thread"
    monkeypatch.setattr(live, "client", broken)
    with live.Typing(AGENT, Step(number=2)) as typing:
        typing.say("the step that says it goes on")


def test_a_timer_that_could_not_start_is_started_by_the_next_who_speaks():
    started = []

    def start(run):
        started.append(run)
        if len(started) == 1:
            raise RuntimeError("can't start new thread")

    timer = live.Timer(start=start)
    for number in range(3):
        with live.Typing(AGENT, Step(number=number), timer=timer):
            pass
    assert len(started) == 2
