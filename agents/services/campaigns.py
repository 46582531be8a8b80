"""Make, start, freeze, thaw, stop and finish campaigns."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from agents import dispatch, prices
from agents.access import why_no_claude
from agents.directions import BY_SLUG
from agents.lifecycle import AGENT_ENDED, CAMPAIGN_ENDED, AgentState, BudgetKind, CampaignState
from agents.models import Agent, Budget, Campaign, Latch
from agents.models.agents import RESEARCHERS
from agents.permissions import can_review, can_run_campaigns
from agents.services.control import cancel_work, end_agent
from agents.services.policies import ensure_default, first_policy
from agents.services.states import AGENT_IDLE, move_agent, move_campaign
from experiments.acting import act_as
from experiments.errors import Forbidden, IllegalTransition, InvalidInput, NotFound, Refused
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark
from experiments.services import holds
from experiments.texts import check_reason

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_AGENTS = 1000
LONGEST_NAME = 120
LONGEST_BRIEF = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPlan:
    """One agent of a campaign that is being made.

    direction: a ready direction's slug, or a short name of one's own with its own `brief`.
    budgets: limits of this agent alone, by kind, in the units of `Budget`.
    """

    researcher: str
    model: str = ""
    direction: str
    brief: str = ""
    name: str = ""
    budgets: Mapping[str, int] = field(default_factory=dict)


@transaction.atomic
def create_campaign(
    *,
    user: "User",
    name: str,
    benchmarks: Sequence[str],
    agents: Sequence[AgentPlan],
    budgets: Mapping[str, int],
    deadline: datetime | None = None,
    brief: str = "",
    policy: Mapping[str, Any] | None = None,
) -> Campaign:
    """A draft: nothing runs and nothing is spent before `start_campaign`.

    benchmarks: slugs. budgets: limits of the whole campaign by kind. policy: {"rules", or
    "preset" and "ask_above"; "hold_flags", "approval_seconds"}; None for the lab's default.
    Raises: Forbidden; InvalidInput with a pointer; NoPrice for a model that a money budget cannot bound.
    """
    if not can_run_campaigns(user):
        raise Forbidden("you may not run campaigns")
    _check_text(name, LONGEST_NAME, "#/name", needed=True)
    _check_text(brief, LONGEST_BRIEF, "#/brief")
    if deadline is not None and deadline <= timezone.now():
        raise InvalidInput("the deadline has passed already", pointer="#/deadline")
    if not 1 <= len(agents) <= MOST_AGENTS:
        raise InvalidInput(f"{len(agents)} agents: expected 1 to {MOST_AGENTS}", pointer="#/agents")
    _check_budgets(budgets, "#/budget")
    campaign = Campaign.objects.create(name=name.strip(), brief=brief, created_by=user, deadline=deadline)
    campaign.benchmarks.set(_benchmarks(benchmarks))
    Budget.objects.bulk_create(Budget(campaign=campaign, kind=kind, limit=limit) for kind, limit in budgets.items())
    ensure_default()
    if policy is not None:
        first_policy(user, campaign, policy)
    for index, plan in enumerate(agents):
        _create_agent(campaign, plan, index, bounded=BudgetKind.MONEY in {*budgets, *plan.budgets})
    return campaign


def start_campaign(*, user: "User", campaign_id: int) -> Campaign:
    """Let its agents begin. Raises: NotFound, Forbidden, IllegalTransition, Refused without a key for Claude."""
    with transaction.atomic():
        campaign = _locked(user, campaign_id)
        if not can_run_campaigns(user):
            raise Forbidden("you may not start campaigns")
        if campaign.state == CampaignState.RUNNING:
            return campaign
        if campaign.state != CampaignState.DRAFT:
            raise IllegalTransition(f"campaign {campaign.pk} is {campaign.state}; only a draft can be started")
        if campaign.agents.filter(researcher="claude").exists() and (why := why_no_claude()):
            raise Refused(f"a Claude researcher cannot start: {why}", pointer="#/agents")
        move_campaign(campaign, CampaignState.RUNNING, actor=user, started_at=timezone.now())
        dispatch.wake(campaign.agents.exclude(researcher="outside").values_list("pk", flat=True))
    return campaign


@transaction.atomic
def freeze_campaign(*, user: "User", campaign_id: int, reason: str) -> Campaign:
    """Hold every agent with one row; doing it twice is harmless. Raises: NotFound, Forbidden, InvalidInput."""
    campaign = _locked(user, campaign_id)
    _may_hold(user)
    why = check_reason(reason)
    act_as(user, why)
    if campaign.state != CampaignState.FROZEN:
        agents = _locked_agents(campaign)
        holds.hold([agent.user_id for agent in agents])
        move_campaign(campaign, CampaignState.FROZEN, actor=user, reason=why)
        for agent in agents:
            if agent.state in AGENT_IDLE and agent.state != AgentState.FAILED:
                move_agent(agent, AgentState.PAUSED, actor=user)
    return campaign


@transaction.atomic
def thaw_campaign(*, user: "User", campaign_id: int, reason: str = "") -> Campaign:
    """Let a frozen campaign go on; latches of single agents stay. Raises: NotFound, Forbidden, IllegalTransition."""
    campaign = _locked(user, campaign_id)
    _may_hold(user)
    why = check_reason(reason) if reason.strip() else ""
    act_as(user, why)
    if campaign.state == CampaignState.DRAFT:
        raise IllegalTransition(f"campaign {campaign.pk} has not been started")
    if campaign.state != CampaignState.RUNNING:
        agents = _locked_agents(campaign)
        open_ones = Latch.objects.filter(agent__campaign=campaign, released_at=None)
        latched = set(open_ones.values_list("agent_id", flat=True))
        free = [agent for agent in agents if agent.pk not in latched]
        holds.release([agent.user_id for agent in free])
        move_campaign(campaign, CampaignState.RUNNING, actor=user, reason=why)
        for agent in free:
            if agent.state == AgentState.PAUSED:
                move_agent(agent, AgentState.READY, actor=user)
        dispatch.wake([agent.pk for agent in free if agent.researcher != "outside"])
    return campaign


@transaction.atomic
def stop_campaign(*, user: "User", campaign_id: int, reason: str) -> Campaign:
    """For good: what is in flight is cancelled, every agent's token dies with it. Raises: NotFound, Forbidden."""
    campaign = _locked(user, campaign_id)
    _may_hold(user)
    why = check_reason(reason)
    act_as(user, why)
    if campaign.state in CAMPAIGN_ENDED:
        return campaign
    going = [agent for agent in _locked_agents(campaign) if agent.state not in AGENT_ENDED]
    for agent in going:
        cancel_work(agent, actor=user)
    move_campaign(campaign, CampaignState.STOPPED, actor=user, reason=why, ended_at=timezone.now())
    for agent in going:
        end_agent(agent, actor=user)
    return campaign


@transaction.atomic
def finish_if_done(*, campaign_id: int) -> bool:
    """Finish a running campaign whose agents have all ended, or whose deadline has passed with nothing in flight.

    Returns: whether it has finished now.
    """
    campaign = Campaign.objects.select_for_update(no_key=True).filter(pk=campaign_id).first()
    if campaign is None or campaign.state != CampaignState.RUNNING:
        return False
    agents = list(campaign.agents.select_for_update(no_key=True).order_by("id"))
    over = campaign.deadline is not None and campaign.deadline <= timezone.now()
    open_ones = [agent for agent in agents if agent.state not in (*AGENT_ENDED, AgentState.FAILED)]
    if open_ones and not (over and all(a.state in (*AGENT_IDLE, AgentState.PAUSED) for a in open_ones)):
        return False
    for agent in open_ones:
        move_agent(agent, AgentState.FINISHED)
    reason = "the deadline has passed" if over else "every agent has ended"
    move_campaign(campaign, CampaignState.FINISHED, actor=None, reason=reason, ended_at=timezone.now())
    return True


def _create_agent(campaign: Campaign, plan: AgentPlan, index: int, *, bounded: bool) -> Agent:
    pointer = f"#/agents/{index}"
    known = [value for value, _ in RESEARCHERS]
    if plan.researcher not in known:
        raise InvalidInput(f"{plan.researcher!r}: expected one of {', '.join(known)}", pointer=f"{pointer}/researcher")
    ready = BY_SLUG.get(plan.direction)
    brief = plan.brief or (ready.brief if ready else "")
    _check_text(plan.direction, 60, f"{pointer}/direction", needed=True)
    _check_text(brief, LONGEST_BRIEF, f"{pointer}/brief")
    if not brief:
        raise InvalidInput(
            f"{plan.direction!r} is none of the ready directions ({', '.join(BY_SLUG)}): give a brief with it",
            pointer=f"{pointer}/direction",
        )
    if plan.researcher == "claude":
        if not plan.model:
            raise InvalidInput("a Claude researcher needs the name of a model", pointer=f"{pointer}/model")
        if bounded:
            prices.price_of(plan.model)
    _check_budgets(plan.budgets, f"{pointer}/budget")
    name = plan.name or f"{plan.direction}-{index + 1}"
    agent = Agent.objects.create(
        campaign=campaign,
        user=_account(campaign, name),
        name=name,
        researcher=plan.researcher,
        model=plan.model if plan.researcher == "claude" else "",
        direction=plan.direction,
        brief=brief,
        seed=_seed(campaign, name),
    )
    Budget.objects.bulk_create(
        Budget(campaign=campaign, agent=agent, kind=kind, limit=limit) for kind, limit in plan.budgets.items()
    )
    return agent


def _account(campaign: Campaign, name: str) -> "User":
    user: User = get_user_model().objects.create(username=f"c{campaign.pk}-{name}"[:150])
    user.set_unusable_password()
    user.save(update_fields=["password"])
    user.groups.set(Group.objects.filter(name="agent"))
    return user


def _seed(campaign: Campaign, name: str) -> int:
    """63 bits that follow from campaign and name: a search researcher resumes with the randomness it began with."""
    return int.from_bytes(hashlib.sha256(f"{campaign.pk}/{name}".encode()).digest()[:8], "big") >> 1


def _benchmarks(slugs: Sequence[str]) -> list[Benchmark]:
    if not slugs:
        raise InvalidInput("name at least one benchmark", pointer="#/benchmarks")
    found = {each.slug: each for each in Benchmark.objects.filter(slug__in=slugs)}
    for index, slug in enumerate(slugs):
        if slug not in found or found[slug].state == BenchmarkState.REFERENCE:
            runnable = Benchmark.objects.exclude(state=BenchmarkState.REFERENCE).values_list("slug", flat=True)
            raise InvalidInput(
                f"no benchmark {slug!r} to run on; known: {', '.join(runnable)}", pointer=f"#/benchmarks/{index}"
            )
    return [found[slug] for slug in dict.fromkeys(slugs)]


def _locked_agents(campaign: Campaign) -> list[Agent]:
    """Its agents, then their work, before the first event: a step or a worker that holds one and waits for the log
    would wait for ever."""
    agents = list(campaign.agents.select_for_update(no_key=True).order_by("id"))
    holds.lock([agent.user_id for agent in agents])
    return agents


def _locked(user: "User", campaign_id: int) -> Campaign:
    visible = Campaign.objects.visible_to(user).filter(pk=campaign_id).exists()
    row = Campaign.objects.select_for_update(no_key=True).filter(pk=campaign_id).first() if visible else None
    if row is None:
        raise NotFound(f"no campaign {campaign_id}")
    act_as(user)
    return row


def _may_hold(user: "User") -> None:
    if not (can_run_campaigns(user) or can_review(user)):
        raise Forbidden("you may not hold campaigns")


def _check_budgets(budgets: Mapping[str, int], pointer: str) -> None:
    for kind, limit in budgets.items():
        if kind not in BudgetKind.values:
            raise InvalidInput(f"{kind!r}: expected one of {', '.join(BudgetKind.values)}", pointer=f"{pointer}/{kind}")
        if limit < 0:
            raise InvalidInput(f"{limit}: expected a number from 0", pointer=f"{pointer}/{kind}")


def _check_text(text: str, longest: int, pointer: str, *, needed: bool = False) -> None:
    if "\x00" in text:
        raise InvalidInput("text must not hold NUL characters", pointer=pointer)
    if needed and not text.strip():
        raise InvalidInput("this must not be empty", pointer=pointer)
    if len(text) > longest:
        raise InvalidInput(f"{len(text)} characters; at most {longest} are allowed", pointer=pointer)
