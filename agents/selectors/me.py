"""Who somebody is in the lab, and what they may still spend."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.models import Agent, Token
from agents.selectors.campaigns import agents_for
from agents.services.budgets import Left, left
from experiments.errors import NotFound
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark
from experiments.selectors.api_budgets import UploadBudget, upload_budget

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_LAB = "experiments."


@dataclass(frozen=True, slots=True)
class BudgetFacts:
    """Budgets by kind."""

    evaluations: list[UploadBudget]


@dataclass(frozen=True, slots=True)
class MeFacts:
    """An account as it sees itself."""

    user: "User"
    roles: list[str]
    permissions: list[str]
    token: Token | None
    budgets: BudgetFacts
    agent: Agent | None
    limits: list[Left]


def me_facts(user: "User", token: Token | None) -> MeFacts:
    """Roles, permissions and what is left of the budgets."""
    agent = agents_for(user).filter(user=user).first()
    ready = Benchmark.objects.visible_to(user).filter(state=BenchmarkState.READY)
    return MeFacts(
        user=user,
        roles=list(user.groups.order_by("name").values_list("name", flat=True)),
        permissions=sorted(each.removeprefix(_LAB) for each in user.get_all_permissions() if each.startswith(_LAB)),
        token=token,
        budgets=BudgetFacts(evaluations=[upload_budget(each) for each in ready]),
        agent=agent,
        limits=left(agent) if agent else [],
    )


def own_agent(user: "User") -> Agent:
    """The agent that an account belongs to. Raises: NotFound for people."""
    found: Agent | None = agents_for(user).filter(user=user).first()
    if found is None:
        raise NotFound("this account belongs to no agent of a campaign")
    return found


def all_tokens() -> list[Token]:
    """Every token ever made, newest first."""
    return list(Token.objects.select_related("user").prefetch_related("user__groups"))
