"""Flags: what is said of them to people, and how people judge them."""

from typing import Any

from rest_framework import serializers

from experiments.serializers.fields import Choice, Input, PageQuery, ReasonInput
from oversight.lifecycle import FlagState, Level, Source, Verdict


class FlagQuery(PageQuery):
    """Filters of the list."""

    state = Choice(choices=FlagState.choices, required=False)
    level = Choice(choices=Level.choices, required=False)
    detector = serializers.CharField(required=False, max_length=60)
    experiment = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class FlagInput(Input):
    """A flag by hand."""

    note = serializers.CharField(max_length=4_000, help_text="What is wrong, and how one sees it")
    title = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)
    level = Choice(choices=Level.choices, required=False, default=Level.FLAG.value)
    pin = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=300,
        help_text='The exact row or text: "run:3", "file:method.py", "action:7", "entry:9", "comment:8"',
    )  # fmt: skip
    quote = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=2_000, trim_whitespace=False, help_text="Words of it"
    )


class SubjectFlagInput(FlagInput):
    """A flag by hand on anything."""

    subject = serializers.CharField(max_length=40, help_text='"experiment:12", "agent:3", "upload:4", "finding:5"')


class DecideInput(ReasonInput):
    """A verdict."""

    verdict = Choice(choices=Verdict.choices)


class FlagEvidence(serializers.Serializer[Any]):
    """One sentence."""

    text = serializers.CharField()
    link = serializers.CharField(required=False, help_text="To the exact row")
    quote = serializers.CharField(required=False)
    pin = serializers.CharField(required=False)


class FlagCalibration(serializers.Serializer[Any]):
    """What the threshold rests on."""

    id = serializers.IntegerField()
    n = serializers.IntegerField(help_text="Sample size")
    threshold = serializers.FloatField(allow_null=True)
    false_positive_rate = serializers.FloatField(allow_null=True)
    created_at = serializers.DateTimeField()


class VoteFacts(serializers.Serializer[Any]):
    """A vote; others' are shown once one has voted."""

    reviewer = serializers.CharField(source="reviewer.username")
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()


class DecisionFacts(serializers.Serializer[Any]):
    """The end of a round."""

    round = serializers.IntegerField()
    verdict = serializers.CharField()
    reason = serializers.CharField()
    decided_by = serializers.CharField(source="decided_by.username")
    created_at = serializers.DateTimeField()


class FlagFacts(serializers.Serializer[Any]):
    """A flag as one reviewer may see it."""

    id = serializers.IntegerField(source="flag.pk")
    subject = serializers.CharField(source="flag.subject")
    experiment = serializers.IntegerField(source="flag.experiment_id", allow_null=True)
    agent = serializers.IntegerField(source="flag.agent_id", allow_null=True)
    campaign = serializers.IntegerField(source="flag.campaign_id", allow_null=True)
    detector = serializers.CharField(source="flag.detector")
    level = serializers.ChoiceField(source="flag.level", choices=Level.choices)
    state = serializers.ChoiceField(choices=FlagState.choices)
    title = serializers.CharField(source="flag.title")
    statistic = serializers.FloatField(allow_null=True, help_text="Null also while one is to judge blind")
    threshold = serializers.FloatField(allow_null=True)
    p_value = serializers.FloatField(allow_null=True)
    evidence = FlagEvidence(source="flag.evidence", many=True)
    calibration = FlagCalibration(source="flag.calibration", allow_null=True)
    raised_by = serializers.CharField(source="flag.raised_by.username", allow_null=True, default=None)
    created_at = serializers.DateTimeField(source="flag.created_at")
    round = serializers.IntegerField(source="flag.round")
    claimed_by = serializers.CharField(allow_null=True)
    claimed_until = serializers.DateTimeField(allow_null=True)
    blind = serializers.BooleanField(help_text="Votes and the monitor's score are kept back until one has voted")
    votes_cast = serializers.IntegerField()
    votes_needed = serializers.IntegerField()
    votes = VoteFacts(many=True)
    verdict = serializers.CharField(allow_null=True)
    decisions = DecisionFacts(many=True)

    def get_fields(self) -> dict[str, Any]:
        """`source` is an attribute of serializers, so it cannot be declared as one."""
        origin = serializers.ChoiceField(source="flag.source", choices=Source.choices)
        return {**super().get_fields(), "source": origin}
