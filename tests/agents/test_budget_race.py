"""tests agents/services/budgets.py: nine agents race for one purse, and any order of calls keeps the books."""

import random
import threading
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from agents.lifecycle import BudgetKind
from agents.models import Agent, Budget, Reservation
from agents.observation import nothing_new
from agents.services import budgets, claims, steps
from agents.services.campaigns import AgentPlan
from experiments.errors import OverBudget
from tests.agents.conftest import make_campaign

LIMITS = {"money": 1_000_003, "tokens": 500_009, "gpu_seconds": 4_001, "evaluations": 211}
LARGEST = {"money": 20_000, "tokens": 9_000, "gpu_seconds": 90, "evaluations": 4}
AGENTS = 9
PASSES = 'SELECT count(*) FROM agents_budget WHERE spent + reserved > "limit"'


@dataclass
class Racer(threading.Thread):
    """Reserves and settles as fast as it can until the purse has refused it often enough."""

    agent: Agent
    number: int
    together: threading.Barrier
    held: dict[str, dict[str, int]] = field(default_factory=dict)
    spent: dict[str, dict[str, int]] = field(default_factory=dict)
    refused: int = 0
    errors: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__(daemon=True)
        self.chance = random.Random(self.number)

    __hash__ = threading.Thread.__hash__

    def run(self):
        try:
            self.together.wait()
            for turn in range(400):
                if self.refused >= 40:
                    break
                self.take_turn(f"agent{self.number}:{turn}")
        except Exception as error:  # for the test to show
            self.errors.append(repr(error))
        finally:
            connection.close()

    def take_turn(self, key):
        amounts = {kind: self.chance.randint(0, most) for kind, most in LARGEST.items()}
        try:
            budgets.reserve(agent=self.agent, key=key, amounts=amounts)
        except OverBudget:
            self.refused += 1
            if self.chance.random() < 0.7:
                self.settle_one()
            return
        self.held[key] = {kind: amount for kind, amount in amounts.items() if amount}
        if self.chance.random() < 0.2:  # a message that came twice
            budgets.reserve(agent=self.agent, key=key, amounts=amounts)
        if self.chance.random() < 0.8:
            self.settle_one()

    def settle_one(self):
        if not self.held:
            return
        key = self.chance.choice(sorted(self.held))
        asked = self.held.pop(key)
        self.spent[key] = {kind: self.chance.choice([0, amount, amount // 2]) for kind, amount in asked.items()}
        for _ in range(self.chance.choice([1, 1, 2])):
            budgets.settle(agent=self.agent, key=key, spent=self.spent[key])


class Auditor(threading.Thread):
    """Looks at the books all the time, each look one snapshot."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.looks, self.overruns = threading.Event(), 0, 0

    def run(self):
        try:
            with connection.cursor() as cursor:
                while not self.over.is_set():
                    cursor.execute(PASSES)
                    self.overruns += cursor.fetchone()[0]
                    self.looks += 1
        finally:
            connection.close()


@pytest.mark.django_db(transaction=True)
def test_nine_agents_race_and_no_budget_is_passed_by_one_micro_dollar(roles):
    plans = [
        AgentPlan(
            researcher="search", direction="simplicity", name=f"racer-{n}",
            budgets={"money": 200_001, "tokens": 90_001} if n % 2 else {"evaluations": 40},
        )
        for n in range(AGENTS)
    ]  # fmt: skip
    campaign = make_campaign(agents=plans, budgets=LIMITS)
    together = threading.Barrier(AGENTS)
    racers = [Racer(agent, n, together) for n, agent in enumerate(campaign.agents.order_by("id"))]
    auditor = Auditor()
    auditor.start()
    for each in racers:
        each.start()
    for each in racers:
        each.join(timeout=120)
        assert not each.is_alive()
    auditor.over.set()
    auditor.join()
    assert [each.errors for each in racers] == [[]] * AGENTS
    assert auditor.looks > 20
    assert auditor.overruns == 0
    refusals = sum(each.refused for each in racers)
    assert refusals > 100, "nobody met a limit, so nothing was shown"

    # no reservation is lost, none is there twice, and each is booked as its owner settled it
    rows = {(each.key, each.kind): each for each in Reservation.objects.all()}
    wanted = {(key, kind) for each in racers for key, asked in {**each.held, **each.spent}.items() for kind in asked}
    assert set(rows) == wanted
    for each in racers:
        for key, spent in each.spent.items():
            assert {kind: rows[key, kind].spent for kind in spent} == spent
        assert all(rows[key, kind].spent is None for key, asked in each.held.items() for kind in asked)
    check_books(campaign)
    for budget in Budget.objects.filter(campaign=campaign, agent=None):
        print(f"{budget.kind}: {budget.spent} spent + {budget.reserved} held of {budget.limit}")
    print(f"{len(rows)} reservations, {refusals} refusals, {auditor.looks} looks at the books")


def check_books(campaign):
    """Every budget equals the sum of its reservations, and is within its limit."""
    for budget in Budget.objects.filter(campaign=campaign):
        own = Reservation.objects.filter(agent__campaign=campaign, kind=budget.kind)
        own = own.filter(agent=budget.agent) if budget.agent_id else own
        held = own.filter(spent=None).aggregate(sum=Sum("amount"))["sum"] or 0
        spent = own.aggregate(sum=Sum("spent"))["sum"] or 0
        assert (budget.reserved, budget.spent) == (held, spent), budget
        assert budget.reserved + budget.spent <= budget.limit, budget


class Books(RuleBasedStateMachine):
    """Reserve, settle, release, a worker that is killed, more budget: in any order, also twice."""

    @initialize(money=st.integers(0, 3_000), tokens=st.integers(0, 800), own=st.integers(0, 2_000))
    def open(self, money, tokens, own):
        plans = [
            AgentPlan(researcher="search", direction="simplicity", name="rich"),
            AgentPlan(researcher="search", direction="simplicity", name="poor", budgets={"money": own}),
        ]
        self.campaign = make_campaign(agents=plans, budgets={"money": money, "tokens": tokens})
        self.agents = list(self.campaign.agents.order_by("id"))
        self.held: dict[str, tuple[Agent, dict[str, int]]] = {}
        self.closed: list[tuple[Agent, str]] = []
        self.count = 0

    @rule(who=st.integers(0, 1), money=st.integers(0, 1_500), tokens=st.integers(0, 400))
    def reserve(self, who, money, tokens):
        self.count += 1
        key, amounts = f"c{self.campaign.pk}:{self.count}", {"money": money, "tokens": tokens}
        agent = self.agents[who]
        fits = all(amounts[row.kind] <= row.left for row in budgets.left(agent) if amounts.get(row.kind))
        try:
            budgets.reserve(agent=agent, key=key, amounts=amounts)
        except OverBudget as error:
            assert not fits
            assert error.budget in amounts
            assert not Reservation.objects.filter(key=key).exists()
            return
        assert fits
        self.held[key] = (agent, amounts)

    @rule(data=st.data(), share=st.sampled_from([0.0, 0.3, 1.0]))
    def settle(self, data, share):
        if self.held:
            key = data.draw(st.sampled_from(sorted(self.held)))
            agent, amounts = self.held.pop(key)
            budgets.settle(agent=agent, key=key, spent={kind: int(each * share) for kind, each in amounts.items()})
            self.closed.append((agent, key))

    @rule(data=st.data())
    def release(self, data):
        if self.held:
            key = data.draw(st.sampled_from(sorted(self.held)))
            agent, _ = self.held.pop(key)
            budgets.settle(agent=agent, key=key, spent={})
            self.closed.append((agent, key))

    @rule(data=st.data())
    def settle_and_reserve_again(self, data):
        if self.closed:
            agent, key = data.draw(st.sampled_from(self.closed))
            budgets.settle(agent=agent, key=key, spent={"money": 10**9})
            if Reservation.objects.filter(key=key).exists():  # one of nothing at all leaves no row
                budgets.reserve(agent=agent, key=key, amounts={"money": 10**9})

    @rule(who=st.integers(0, 1), worst=st.integers(1, 900), dies=st.booleans())
    def step(self, who, worst, dies):
        """A model call through the loop's own services; its worker may be killed in it."""
        agent = Agent.objects.get(pk=self.agents[who].pk)
        claim = claims.claim(agent_id=agent.pk, worker="one")
        if claim is None:
            return
        try:
            made = steps.begin(
                claim, news=nothing_new(agent), worst_case=lambda: {"money": worst, "tokens": worst // 3}
            )
        except OverBudget:
            claims.give_up(claim, "no more money")
            Agent.objects.filter(pk=agent.pk).update(state="ready", error="")
            return
        if dies:
            Agent.objects.filter(pk=agent.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
            second = claims.claim(agent_id=agent.pk, worker="two")
            booked = dict(Reservation.objects.filter(key=claims.reservation_key(made)).values_list("kind", "spent"))
            assert booked["money"] == worst  # nobody knows what it cost: the worst case
            steps.begin(second, news=nothing_new(agent), worst_case=dict)
            Agent.objects.filter(pk=agent.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
            third = claims.claim(agent_id=agent.pk, worker="three")
            claims.give_up(third, "enough")
            Agent.objects.filter(pk=agent.pk).update(state="ready", error="")
            return
        steps.record_reply(
            claim, made, content=[], calls=[], stop_reason="end_turn", usage={}, spent={"money": worst // 2}
        )
        steps.finish_step(claim, made)

    @rule(who=st.integers(0, 1), money=st.integers(0, 500))
    def raise_limits(self, who, money):
        budgets.add(agent=self.agents[who], amounts={BudgetKind.MONEY: money})

    @invariant()
    def books_balance(self):
        if hasattr(self, "campaign"):
            check_books(self.campaign)


@pytest.mark.django_db
def test_any_order_of_reserving_settling_releasing_and_dying_keeps_the_books(roles):
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, derandomize=True, database=None,
            suppress_health_check=checks,
        ),
    )  # fmt: skip
