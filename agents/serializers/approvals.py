"""Calls that wait for people, as the API takes and shows them."""

from typing import Any

from rest_framework import serializers

from agents.lifecycle import ApprovalState
from experiments.serializers.fields import Choice, Input, PageQuery


class ApprovalQuery(PageQuery):
    """Filters of the list."""

    state = Choice(choices=ApprovalState.choices, required=False)
    campaign = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    agent = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class ApproveInput(Input):
    """Let it run."""

    note = serializers.CharField(required=False, default="", allow_blank=True, max_length=4_000)
    edited_arguments = serializers.DictField(required=False, allow_null=True, default=None)


class RefuseInput(Input):
    """Say no."""

    note = serializers.CharField(max_length=4_000, help_text="Why: the agent reads it")


class ApprovalFacts(serializers.Serializer[Any]):
    """A call and what became of it."""

    id = serializers.IntegerField()
    agent = serializers.IntegerField(source="agent_id")
    agent_name = serializers.CharField(source="agent.name")
    campaign = serializers.IntegerField(source="agent.campaign_id")
    action = serializers.IntegerField(source="action_id", allow_null=True)
    tool = serializers.CharField()
    arguments = serializers.DictField()
    edited_arguments = serializers.DictField(allow_null=True)
    digest = serializers.CharField(help_text="SHA-256 of tool, arguments to run, agent and policy version")
    policy = serializers.IntegerField(source="policy_id")
    policy_version = serializers.IntegerField(source="policy.version")
    rule = serializers.IntegerField(help_text="Of the policy, from 1; 0: none fitted")
    why = serializers.CharField()
    cost = serializers.DictField(child=serializers.IntegerField(), help_text="Upper estimate by kind of budget")
    state = serializers.ChoiceField(choices=ApprovalState.choices)
    requested_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    decided_by = serializers.CharField(source="decided_by.username", default=None, allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField()
    used_at = serializers.DateTimeField(allow_null=True)
