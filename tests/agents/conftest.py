"""Campaigns for tests, and a researcher that says what a test tells it to."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from agents.models import Agent, Campaign, Price
from agents.researchers import RESEARCHERS, Thought, View
from agents.services.actions import Call
from agents.services.campaigns import AgentPlan, create_campaign, start_campaign
from tests.factories import make_benchmark, make_user


class Scripted:
    """Plays thoughts from a list; an exception in the list is raised, a function is called with the view."""

    script: list = []
    views: list[View] = []
    price = 1000

    def worst_case(self, view: View) -> dict[str, int]:
        return {"money": self.price, "tokens": 100}

    def cost(self, agent: Agent, usage: Mapping[str, int]) -> dict[str, int]:
        return {"money": usage.get("input", 0), "tokens": usage.get("input", 0)}

    def think(self, view: View, *, say: Callable[[str], None], may_go_on: Callable[[], bool]) -> Thought:
        type(self).views.append(view)
        said = self.script.pop(0) if self.script else thought("nothing left to say", ("finish", {"summary": "done"}))
        if callable(said):
            said = said(view, say, may_go_on)
        if isinstance(said, Exception):
            raise said
        return said

    def is_crowded(self, view: View) -> bool:
        return False


def thought(text: str, *calls: tuple[str, dict], usage: int = 10) -> Thought:
    """A reply with tool calls."""
    made = [Call(f"call-{index}", tool, arguments) for index, (tool, arguments) in enumerate(calls)]
    blocks = [{"type": "text", "text": text}]
    blocks += [{"type": "tool_use", "id": c.call_id, "name": c.tool, "input": c.arguments} for c in made]
    return Thought(content=blocks, calls=made, stop_reason="tool_use" if made else "end_turn", usage={"input": usage})


@pytest.fixture(autouse=True)
def _some_key(settings):
    """Claude campaigns start only with a key; nobody here asks the real API."""
    settings.ANTHROPIC_API_KEY = "sk-of-no-use"


@pytest.fixture
def script(monkeypatch) -> list:
    """What the researcher "search" says in this test, in order."""
    kind = type("ScriptedHere", (Scripted,), {"script": [], "views": []})
    RESEARCHERS.names()  # load the real ones first
    monkeypatch.setitem(RESEARCHERS._items, "search", kind)
    return kind.script


def make_campaign(
    *,
    agents: Sequence[AgentPlan] = (),
    budgets: Mapping[str, int] | None = None,
    start: bool = True,
    owner=None,
    **fields,
) -> Campaign:
    """A campaign on a ready benchmark, running unless told otherwise."""
    owner = owner or make_user("reviewer")
    benchmark = fields.pop("benchmark", None) or make_benchmark(f"bench-{Campaign.objects.count()}")
    plans = agents or [AgentPlan(researcher="search", direction="simplicity")]
    campaign = create_campaign(
        user=owner, name="Test", benchmarks=[benchmark.slug], agents=plans, budgets=budgets or {}, **fields
    )
    return start_campaign(user=owner, campaign_id=campaign.pk) if start else campaign


def make_price(model: str) -> Price:
    """What a model costs, so that a budget of money can bound it."""
    values = {"input": 4_000_000, "output": 20_000_000, "cache_read": 200_000, "cache_write": 5_000_000}
    return Price.objects.get_or_create(model=f"{model}*", defaults=values)[0]


def the_agent(campaign: Campaign) -> Agent:
    """Its only agent, fresh from the database."""
    return campaign.agents.get()
