"""Figures about agents; they join the registry of all figures when this module is imported (by the agents' pages)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from agents.models import Agent, Step
from agents.services.budgets import MICRO
from experiments.charts import CHARTS
from experiments.charts._chart import Chart, Figure
from experiments.charts._paint import style
from experiments.errors import NotFound

if TYPE_CHECKING:
    from experiments.permissions import Actor

AGENT_SPEND = "agent-spend"
POINTS = 2000  # steps drawn: beyond it every k-th, the last always


@dataclass(frozen=True, slots=True)
class SpendRow:
    """What an agent had spent on its model when a step ended."""

    step: int
    at: datetime
    dollars: float = field(metadata={"heading": "Spent ($)"})
    tokens: int


@CHARTS.register(AGENT_SPEND)
class AgentSpend(Chart[SpendRow]):
    """Source: own; the sum of what each step booked, the price table's dollars."""

    title = "Spend over time"
    summary = "Money and tokens that model calls have cost, added up step by step (n: number of steps)."
    row = SpendRow
    empty = "No model call has been booked yet."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[SpendRow]:
        """params: agent, its id."""
        asked = params.get("agent", "")
        agent = Agent.objects.visible_to(user).filter(pk=int(asked)).first() if _is_id(asked) else None
        if agent is None:
            raise NotFound("no such agent")
        money = tokens = 0
        rows = []
        booked = Step.objects.filter(agent=agent, finished_at__isnull=False).order_by("number")
        for number, at, cost, usage in booked.values_list("number", "finished_at", "cost", "usage"):
            money, tokens = money + cost, tokens + sum(usage.values())
            if at is not None and (cost or usage):
                rows.append(SpendRow(number, at, money / MICRO, tokens))
        every = -(-len(rows) // POINTS) or 1
        return [row for index, row in enumerate(rows) if index % every == 0 or index == len(rows) - 1]

    def draw(self, rows: Sequence[SpendRow]) -> Figure:
        """Dollars as steps on the left axis, tokens on the right one."""
        times = [row.at.isoformat() for row in rows]
        money, tokens = style(0), style(1)
        notes = [f"step {row.step}: ${row.dollars:.4f}, {row.tokens:,} tokens" for row in rows]
        line = {
            "type": "scatter",
            "mode": "lines",
            "x": times,
            "text": notes,
            "hovertemplate": "%{text}<extra></extra>",
        }
        return {
            "data": [
                {**line, "name": f"dollars (n = {rows[-1].step} steps)", "y": [row.dollars for row in rows],
                 "line": {"shape": "hv", "color": money.colour, "dash": money.dash}},
                {**line, "name": "tokens", "y": [row.tokens for row in rows], "yaxis": "y2",
                 "line": {"shape": "hv", "color": tokens.colour, "dash": tokens.dash}},
            ],
            "layout": {
                "xaxis": {"type": "date"},
                "yaxis": {"title": {"text": "dollars"}, "rangemode": "tozero", "tickprefix": "$"},
                "yaxis2": {"title": {"text": "tokens"}, "rangemode": "tozero", "overlaying": "y", "side": "right",
                           "showgrid": False},
                "showlegend": True,
            },
        }  # fmt: skip


def _is_id(text: str) -> bool:
    return text.isdecimal() and len(text) < 19
