"""What a campaign would take."""

from typing import Any

from rest_framework import serializers

from agents.serializers.campaigns import CampaignInput
from experiments.serializers.fields import Input


class EstimateInput(CampaignInput):
    """A campaign that is only thought of: what it would take."""

    name = serializers.CharField(required=False, default="", allow_blank=True, max_length=120)


class EstimateQuery(Input):
    """Of which campaign that has been made already."""

    campaign = serializers.IntegerField(min_value=1, max_value=2**63 - 1)


class RangeFacts(serializers.Serializer[Any]):
    """A low and a high guess."""

    low = serializers.FloatField()
    high = serializers.FloatField()


class ProblemFacts(serializers.Serializer[Any]):
    """What keeps it from starting."""

    pointer = serializers.CharField()
    detail = serializers.CharField()


class EstimateFacts(serializers.Serializer[Any]):
    """What a campaign would take, each range cut at its limits."""

    agents = serializers.IntegerField()
    money = RangeFacts(allow_null=True, help_text="Micro-dollars; null where a model has no price")
    most_money = serializers.IntegerField(allow_null=True, help_text="The money budget; null without one")
    tokens = RangeFacts()
    gpu_seconds = RangeFacts()
    experiments = RangeFacts()
    seconds = RangeFacts(help_text="From start to end")
    basis = serializers.ListField(child=serializers.CharField(), help_text="What each number rests on")
    limits = serializers.ListField(child=serializers.CharField(), help_text="What ends it before the high guess")
    problems = ProblemFacts(many=True)
