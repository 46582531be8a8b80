"""Money, tokens, GPU seconds and queries: held before they are spent, booked once, never more than there is.

Lock order: a campaign's budget rows by id. Whoever holds them decides alone, so nine racing agents cannot overspend.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from agents.lifecycle import BudgetKind
from agents.models import Agent, Budget, Reservation
from experiments.errors import OverBudget

if TYPE_CHECKING:
    from agents.models import Campaign

MICRO = 1_000_000  # micro-dollars in a dollar


@dataclass(frozen=True, slots=True)
class Left:
    """What one budget still holds. whose: "campaign" or "agent"."""

    whose: str
    kind: str
    limit: int
    spent: int
    reserved: int
    left: int


@transaction.atomic
def reserve(*, agent: Agent, key: str, amounts: Mapping[str, int]) -> None:
    """Hold amounts by kind for one call; with a known key it changes nothing, so a repeated step holds once.

    Raises: OverBudget naming the budget that cannot bear it; then nothing is held.
    """
    asked = {kind: amount for kind, amount in amounts.items() if amount > 0}
    rows = _locked(agent, asked)
    if Reservation.objects.filter(key=key).exists():
        return
    for row in rows:
        if asked[row.kind] > row.left:
            raise OverBudget(_sentence(row, asked[row.kind]), budget=row.kind, limit=row.limit, refills_at=None)
    for row in rows:
        row.reserved += asked[row.kind]
    Budget.objects.bulk_update(rows, ["reserved"])
    Reservation.objects.bulk_create(
        Reservation(key=key, agent=agent, kind=kind, amount=amount) for kind, amount in asked.items()
    )


@transaction.atomic
def settle(*, agent: Agent, key: str, spent: Mapping[str, int]) -> None:
    """Book what a call has cost and let go of the rest; kinds not named cost nothing. Twice is harmless."""
    rows = _locked(agent, BudgetKind.values)
    held = list(Reservation.objects.select_for_update().filter(key=key, spent__isnull=True))
    now = timezone.now()
    for reservation in held:
        reservation.spent, reservation.settled_at = spent.get(reservation.kind, 0), now
        for row in rows:
            if row.kind == reservation.kind:
                row.reserved -= reservation.amount
                row.spent += reservation.spent
    Reservation.objects.bulk_update(held, ["spent", "settled_at"])
    Budget.objects.bulk_update(rows, ["reserved", "spent"])


@transaction.atomic
def add(*, agent: Agent, amounts: Mapping[str, int]) -> None:
    """Raise an agent's own limits and its campaign's by as much; kinds without a limit have none to raise."""
    rows = _locked(agent, amounts)
    for row in rows:
        row.limit += amounts[row.kind]
    Budget.objects.bulk_update(rows, ["limit"])


def held(*, key: str) -> dict[str, int]:
    """What is still held under a key, by kind."""
    return dict(Reservation.objects.filter(key=key, spent__isnull=True).values_list("kind", "amount"))


def has_limit(agent: Agent, kind: str) -> bool:
    """Whether the agent or its campaign has a limit of that kind."""
    return Budget.objects.filter(_binding(agent), kind=kind).exists()


def left(agent: Agent) -> list[Left]:
    """Every limit that binds the agent: its own and its campaign's."""
    rows = Budget.objects.filter(_binding(agent)).order_by("agent", "kind")
    return [_facts(row) for row in rows]


def left_in_words(agent: Agent) -> str:
    """Every limit that binds the agent, a line each, for the agent to read; what has no limit is not named."""
    lines = [
        f"{each.kind} ({each.whose}): {amount_text(each.kind, each.left)} left of {amount_text(each.kind, each.limit)}"
        for each in left(agent)
    ]
    return "\n".join(lines) or "no limits"


def campaign_budgets(campaign: "Campaign") -> list[Left]:
    """The limits of the whole campaign."""
    return [_facts(row) for row in Budget.objects.filter(campaign=campaign, agent=None).order_by("kind")]


def _facts(row: Budget) -> Left:
    return Left("agent" if row.agent_id else "campaign", row.kind, row.limit, row.spent, row.reserved, row.left)


def _binding(agent: Agent) -> Q:
    return Q(campaign=agent.campaign_id) & (Q(agent=None) | Q(agent=agent))


def _locked(agent: Agent, kinds: object) -> list[Budget]:
    """The rows that bind the agent, locked in one order."""
    rows = Budget.objects.select_for_update(no_key=True).filter(_binding(agent), kind__in=list(kinds))  # type: ignore[call-overload]
    return list(rows.order_by("id"))


def _sentence(row: Budget, asked: int) -> str:
    whose = "the agent" if row.agent_id else "the campaign"
    return (
        f"the {BudgetKind(row.kind).label.lower()} budget of {whose} has {amount_text(row.kind, row.left)} left of"
        f" {amount_text(row.kind, row.limit)}; this needs up to {amount_text(row.kind, asked)}"
    )


def amount_text(kind: str, amount: int) -> str:
    """An amount with its unit: $1.25, 3,000 tokens, 40 s, 5."""
    if kind == BudgetKind.MONEY:
        return f"${amount / MICRO:,.4f}" if 0 < amount < MICRO // 100 else f"${amount / MICRO:,.2f}"
    unit = {BudgetKind.TOKENS.value: " tokens", BudgetKind.GPU_SECONDS.value: " s"}.get(kind, "")
    return f"{amount:,}{unit}"
