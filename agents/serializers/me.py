"""What a caller is told about itself."""

from typing import Any

from rest_framework import serializers

from agents.serializers.agents import AgentFacts
from agents.serializers.budgets import BudgetFacts
from experiments.serializers.benchmarks import UploadBudget


class TokenFacts(serializers.Serializer[Any]):
    """The token of this call."""

    name = serializers.CharField()
    prefix = serializers.CharField(help_text="First characters, to recognise it by")
    scopes = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField(allow_null=True)


class Budgets(serializers.Serializer[Any]):
    """What is left to spend."""

    evaluations = UploadBudget(many=True, help_text="One line per benchmark that can be scored; shared by the team")


class Me(serializers.Serializer[Any]):
    """Who calls, what it may do, what is left of its budgets."""

    id = serializers.IntegerField(source="user.pk")
    username = serializers.CharField(source="user.username")
    roles = serializers.ListField(child=serializers.CharField())
    permissions = serializers.ListField(child=serializers.CharField())
    token = TokenFacts(allow_null=True, help_text="Null for a session")
    budgets = Budgets()
    agent = AgentFacts(allow_null=True, help_text="Campaign, direction, brief, state and latches; null for people")
    limits = BudgetFacts(many=True, help_text="What is left of the agent's own and its campaign's budgets")
