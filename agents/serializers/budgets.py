"""Budgets: limits as they are set, and what is left of them."""

from typing import Any

from rest_framework import serializers

from agents.lifecycle import BudgetKind
from agents.services.budgets import MICRO
from experiments.serializers.fields import Choice, Input

MOST_MONEY = 10_000_000  # dollars


class BudgetInput(Input):
    """Limits; what is left out has none."""

    money = serializers.DecimalField(
        required=False, max_digits=13, decimal_places=6, min_value=0, max_value=MOST_MONEY, help_text="Dollars"
    )
    tokens = serializers.IntegerField(required=False, min_value=0, max_value=2**53)
    gpu_seconds = serializers.IntegerField(required=False, min_value=0, max_value=2**40)
    evaluations = serializers.IntegerField(required=False, min_value=0, max_value=2**31)


class BudgetFacts(serializers.Serializer[Any]):
    """One limit. Money is in micro-dollars."""

    whose = serializers.CharField(help_text="campaign or agent")
    kind = Choice(choices=BudgetKind.choices)
    limit = serializers.IntegerField()
    spent = serializers.IntegerField()
    reserved = serializers.IntegerField(help_text="Held for calls in flight")
    left = serializers.IntegerField()


def amounts(given: dict[str, Any]) -> dict[str, int]:
    """Budgets as the services take them: money in micro-dollars."""
    return {kind: int(value * MICRO) if kind == BudgetKind.MONEY else int(value) for kind, value in given.items()}
