"""Campaigns, as the API takes and shows them."""

from typing import Any

from rest_framework import serializers

from agents.lifecycle import CampaignState
from agents.serializers.agents import LONGEST, AgentFacts, AgentInput
from agents.serializers.budgets import BudgetFacts, BudgetInput
from agents.serializers.policies import PolicyInput
from experiments.serializers.fields import Choice, Input, PageQuery
from experiments.texts import LONGEST_REASON


class CampaignInput(Input):
    """A new campaign; nothing runs before it is started."""

    name = serializers.CharField(max_length=120)
    brief = serializers.CharField(required=False, default="", allow_blank=True, max_length=LONGEST)
    benchmarks = serializers.ListField(child=serializers.CharField(max_length=50), min_length=1, max_length=50)
    agents = serializers.ListField(child=AgentInput(), min_length=1, max_length=1000)
    budget = BudgetInput(required=False, default=dict)
    deadline = serializers.DateTimeField(required=False, allow_null=True, default=None)
    policy = PolicyInput(required=False, allow_null=True, default=None)


class CampaignFacts(serializers.Serializer[Any]):
    """One campaign."""

    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    brief = serializers.CharField()
    state = Choice(choices=CampaignState.choices)
    reason = serializers.CharField()
    benchmarks = serializers.ListField(child=serializers.CharField(), source="benchmark_slugs")
    created_by = serializers.CharField(source="created_by.username")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    deadline = serializers.DateTimeField(allow_null=True)


class CampaignDetail(CampaignFacts):
    """One campaign with its agents and budgets."""

    agents = AgentFacts(many=True, source="shown_agents")
    budgets = BudgetFacts(many=True, source="shown_budgets")


class CampaignQuery(PageQuery):
    """Which campaigns."""

    state = Choice(choices=CampaignState.choices, required=False)


class ExportQuery(Input):
    """What goes into the file."""

    holdout = serializers.BooleanField(
        required=False, default=False, help_text="With scores on the holdout split, for people who may see them"
    )


class OptionalWhyInput(Input):
    """Why, if there is something to say."""

    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=LONGEST_REASON)
