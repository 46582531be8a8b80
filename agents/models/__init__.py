"""The rows of this app: tokens, campaigns, agents, and everything an agent did."""

from agents.models.activity import Action, Entry, Notebook, Step
from agents.models.agents import Agent, Latch
from agents.models.budgets import Budget, Price, Reservation
from agents.models.campaigns import Campaign
from agents.models.policies import Approval, Policy
from agents.models.tokens import Token

__all__ = [
    "Action",
    "Agent",
    "Approval",
    "Budget",
    "Campaign",
    "Entry",
    "Latch",
    "Notebook",
    "Policy",
    "Price",
    "Reservation",
    "Step",
    "Token",
]
