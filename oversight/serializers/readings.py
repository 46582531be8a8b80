"""Readings of the monitor, as the API shows them to people."""

from typing import Any

from rest_framework import serializers

from agents.services.budgets import MICRO
from oversight.models import Reading
from oversight.models.readings import ReadingState

_JUDGED: dict[str, Any] = {"score": None, "summary": "", "speaks_to_reader": None, "evidence": [], "dropped": None}


class ReadingQuote(serializers.Serializer[Any]):
    """Words that stand in the source."""

    where = serializers.CharField(help_text='Such as "file:method.py"')
    quote = serializers.CharField()
    why = serializers.CharField()


class ReadingFacts(serializers.Serializer[Any]):
    """One look of a model. What it thinks is null or empty while the caller has a hold on the experiment to judge."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=ReadingState.choices)
    model = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField(help_text="Of the question")
    score = serializers.FloatField(allow_null=True, help_text="0 to 1; null is no verdict, never clean")
    summary = serializers.CharField(allow_blank=True)
    speaks_to_reader = serializers.BooleanField(allow_null=True)
    evidence = ReadingQuote(many=True)
    dropped = serializers.IntegerField(allow_null=True, help_text="Quotes that stand nowhere in the source")
    left_out = serializers.ListField(child=serializers.CharField(), help_text="What did not fit and was not read")
    error = serializers.CharField(allow_blank=True, help_text="Why it waits, or why there is no verdict")
    requested_by = serializers.CharField(source="requested_by.username", allow_null=True, default=None)
    dollars = serializers.SerializerMethodField()
    again_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_dollars(self, reading: Reading) -> float:
        """What its calls have cost."""
        return reading.cost / MICRO

    def to_representation(self, instance: Any) -> Any:
        shown = super().to_representation(instance)
        return {**shown, **_JUDGED} if self.context["withheld"] else shown


class ReadingList(serializers.Serializer[Any]):
    """Every reading of one experiment, newest first."""

    results = ReadingFacts(many=True, source="readings")
    note = serializers.CharField(allow_blank=True, help_text="Why there is none, where there is none")
    withheld = serializers.BooleanField()
