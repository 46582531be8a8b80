"""What was drawn of a card is taken from memory only where nothing of it has changed."""

from dataclasses import replace

from agents.drawn_cards import drawn
from agents.models import Agent
from agents.selectors.cards import Card, Doing
from experiments.selectors.scores import Score


def card(**fields) -> Card:
    known = {"researcher": "claude", "model": "claude-x", "name": "Ada", "state": "thinking", "steps_done": 3}
    agent = Agent(pk=7, **{**known, **fields})
    return Card(agent, [], Doing("thinking"), Score(0.5, 0.4, 0.6, bounded=True), 12, 4, 2_500_000, [])


def test_the_same_is_drawn_once_whatever_it_does_now():
    first = drawn(card())
    assert "Ada" in first.head
    assert "0.50" in first.facts
    assert drawn(replace(card(), doing=Doing("training #12"))) is first


def test_each_thing_that_it_shows_is_drawn_anew_when_it_changes():
    before = drawn(card())
    assert "&lt;b&gt;" in drawn(card(name="<b>")).head
    assert drawn(card(state="acting")).head != before.head
    assert drawn(card(model="claude-y")).head != before.head
    assert drawn(card(researcher="search")).head != before.head
    assert drawn(card(steps_done=4)).facts != before.facts
    changed = {"best": Score(0.7, 0.6, 0.8, bounded=True), "best_experiment": 13, "experiments": 5, "cost": 9_000_000}
    for name, value in changed.items():
        assert drawn(replace(card(), **{name: value})).facts != before.facts, name
