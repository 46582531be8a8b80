"""Which campaign the dashboard shows, and what it shows of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents.lifecycle import CampaignState
from agents.models import Campaign
from agents.permissions import can_review, can_run_campaigns
from agents.selectors.campaigns import agents_for, campaigns_for
from agents.selectors.cards import Card, cards
from agents.services.budgets import Left, campaign_budgets

if TYPE_CHECKING:
    from experiments.permissions import Actor

CHOICES = 50  # in the list to choose from; older ones are on the page of campaigns
MANY = 12  # agents; beyond it cards are refreshed less often
_FIRST = (CampaignState.RUNNING, CampaignState.FROZEN)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The campaign shown, if there is any, and those that can be shown instead, newest first."""

    campaign: Campaign | None
    choices: list[Campaign]


@dataclass(frozen=True, slots=True)
class Glance:
    """A campaign at a glance. spent: micro-dollars that its model calls have cost, with or without a budget.

    refresh_ms: how often its cards may be asked for again.
    """

    campaign: Campaign
    cards: list[Card]
    budgets: list[Left]
    spent: int

    @property
    def held(self) -> int:
        """Agents of which nothing runs."""
        return sum(not card.at_work for card in self.cards)

    @property
    def refresh_ms(self) -> int:
        """Milliseconds: a page of a hundred cards costs the server more than a page of nine."""
        return 1000 if len(self.cards) <= MANY else 3000


def chosen_campaign(user: "Actor", asked: str) -> Chosen:
    """The one asked for, else the newest that runs, else the newest frozen, else the newest."""
    choices = list(campaigns_for(user)[:CHOICES])
    if asked.isdecimal() and len(asked) < 19:
        found = next((each for each in choices if each.pk == int(asked)), None)
        found = found or campaigns_for(user).filter(pk=int(asked)).first()
        if found is not None:
            return Chosen(found, choices)
    by_state = {each.state: each for each in reversed(choices)}
    first = next((by_state[state] for state in _FIRST if state in by_state), None)
    return Chosen(first or next(iter(choices), None), choices)


def glance(user: "Actor", campaign: Campaign) -> Glance:
    """Nine queries, however many agents."""
    found = agents_for(user, campaign=campaign.pk).select_related(None)  # cards show neither account nor campaign
    of_agents = cards(list(found.order_by("id")), found)
    return Glance(campaign, of_agents, campaign_budgets(campaign), sum(card.cost for card in of_agents))


def may_hold(user: "Actor") -> bool:
    """Whether to offer freeze, thaw and stop."""
    return can_run_campaigns(user) or can_review(user)


def controls(user: "Actor", campaign: Campaign) -> dict[str, Any]:
    """What the campaign's buttons need."""
    return {"campaign": campaign, "can_run": can_run_campaigns(user), "can_hold": may_hold(user)}
