"""What on an agent's card changes only with the agent: drawn once, for all who watch and as often as they look."""

from functools import lru_cache
from typing import NamedTuple

from django.template.loader import render_to_string

from agents.selectors.cards import Card
from experiments.selectors.scores import Score

MOST_DRAWN = 1000  # cards that are kept, of about a kilobyte each: ten campaigns of a hundred agents


class Still(NamedTuple):
    """All that the two templates are given, so that what was drawn of it stays true. cost: micro-dollars."""

    pk: int
    name: str
    state: str
    researcher: str
    model: str
    best: Score | None
    best_experiment: int | None
    experiments: int
    steps: int
    cost: int


class Drawn(NamedTuple):
    """The card above and below of what has a clock or depends on who looks."""

    head: str
    facts: str


def drawn(card: Card) -> Drawn:
    """From memory, where the same was drawn before."""
    agent = card.agent
    return _draw(
        Still(
            agent.pk, agent.name, agent.state, agent.researcher, agent.model,
            card.best, card.best_experiment, card.experiments, agent.steps_done, card.cost,
        )
    )  # fmt: skip


@lru_cache(maxsize=MOST_DRAWN)
def _draw(card: Still) -> Drawn:
    return Drawn(*(render_to_string(f"agents/_card_{part}.html", {"card": card}) for part in Drawn._fields))
