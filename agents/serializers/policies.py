"""Policies, as they are set and shown."""

from typing import Any

from rest_framework import serializers

from agents.presets import COSTLY_GPU_SECONDS, MOST_SECONDS, PRESET_CHOICES
from experiments.serializers.fields import Choice, Input
from experiments.texts import LONGEST_REASON


class PolicyInput(Input):
    """Rules of what agents may do by themselves; the first that fits decides. Or a preset's name in their place."""

    rules = serializers.ListField(
        required=False, allow_null=True, default=None, child=serializers.DictField(),
        help_text="{effect: allow|ask|deny, tool, arguments: {path: pattern}, cost_above: {kind: amount}, first_code}",
    )  # fmt: skip
    preset = Choice(
        choices=PRESET_CHOICES, required=False, default="", allow_blank=True,
        help_text="Asks a person where the lab's rules, as they are now, would let a call run",
    )  # fmt: skip
    ask_above = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=0, max_value=MOST_SECONDS,
        help_text=f"GPU seconds, with the preset costly; left out: {COSTLY_GPU_SECONDS}",
    )  # fmt: skip
    hold_flags = serializers.BooleanField(required=False, default=False, help_text="A detector's flag holds")
    approval_seconds = serializers.IntegerField(required=False, default=86_400, min_value=60, max_value=2_592_000)


class PolicyChange(PolicyInput):
    """A new version."""

    reason = serializers.CharField(max_length=LONGEST_REASON)


class PolicyFacts(serializers.Serializer[Any]):
    """The rules in force."""

    id = serializers.IntegerField()
    campaign = serializers.IntegerField(source="campaign_id", allow_null=True, help_text="Null: the lab's default")
    version = serializers.IntegerField()
    rules = serializers.ListField(child=serializers.DictField())
    hold_flags = serializers.BooleanField()
    approval_seconds = serializers.IntegerField()
    reason = serializers.CharField()
    made_by = serializers.CharField(source="made_by.username", default=None, allow_null=True)
    created_at = serializers.DateTimeField()
