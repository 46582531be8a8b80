"""Uploaded predictions and what is told of them; the leaderboard; events."""

from typing import Any

from rest_framework import serializers

from experiments.lifecycle import MethodClass, Standing, StudyState
from experiments.serializers.fields import (
    LARGEST_NUMBER,
    LARGEST_PAGE,
    USUAL_PAGE,
    BinaryVector,
    Choice,
    Input,
    PageQuery,
    Score,
)


class PredictionsInput(Input):
    """Predictions for every dev item of a benchmark."""

    benchmark = serializers.SlugField(help_text="Slug")
    predictions = BinaryVector()


class EvaluationQuery(PageQuery):
    """Filters of the list of uploaded evaluations."""

    benchmark = serializers.CharField(required=False, max_length=50, help_text="Slug")
    submitter = serializers.CharField(required=False, max_length=150, help_text="Name of the account")


class Evaluation(serializers.Serializer[Any]):
    """The scoring of an uploaded vector, as its submitter is told of it."""

    id = serializers.IntegerField(source="pk")
    benchmark = serializers.CharField(source="benchmark.slug")
    submitter = serializers.CharField(source="submitter.username")
    verified = serializers.BooleanField(help_text="Always false: the lab did not run the method")
    dev_pgr = serializers.FloatField(
        source="reported_pgr",
        allow_null=True,
        help_text="The Ladder's feedback: the team's best so far, to a step of .01 accuracy; not this vector's score",
    )
    n_items = serializers.IntegerField()
    predictions_digest = serializers.CharField(help_text="SHA-256 of the vector, packed to bits")
    created_at = serializers.DateTimeField()


class EvaluationExact(Evaluation):
    """With what only reviewers see."""

    exact_accuracy = serializers.FloatField(source="accuracy", required=False, help_text="Reviewers only")
    exact_pgr = serializers.FloatField(source="pgr", allow_null=True, required=False, help_text="Reviewers only")
    charged_bits = serializers.FloatField(required=False, help_text="Reviewers only")


class EvaluationAnswer(Evaluation):
    """The answer to an upload."""

    upload = serializers.IntegerField(help_text="Under which number the vector is kept")
    queries_left = serializers.IntegerField(help_text="Uploads that the whole team has left in this window")


class Upload(serializers.Serializer[Any]):
    """A kept upload, scored or waiting for the scorer."""

    id = serializers.IntegerField(source="pk")
    benchmark = serializers.CharField(source="benchmark.slug")
    submitter = serializers.CharField(source="submitter.username")
    scored = serializers.SerializerMethodField(help_text="False while it waits for the scorer")
    created_at = serializers.DateTimeField()
    evaluation = Evaluation(allow_null=True)

    def get_scored(self, upload: Any) -> bool:
        """Whether it has an evaluation."""
        return upload.evaluation_id is not None


class BoardQuery(PageQuery):
    """Which leaderboard."""

    benchmark = serializers.CharField(required=False, max_length=50, help_text="Slug; all benchmarks if absent")
    standing = Choice(
        choices=["all", *Standing.values], required=False, help_text="What is ranked (counted, policy_gray) if absent"
    )

    def get_fields(self) -> dict[str, Any]:
        """`class` is a word of Python's, so it cannot be an attribute."""
        kind = Choice(choices=MethodClass.choices, required=False, default=MethodClass.WEAK_TO_STRONG)
        return {**super().get_fields(), "class": kind}


class BoardRow(serializers.Serializer[Any]):
    """One line of the leaderboard: an experiment, or a published figure (external, without an experiment)."""

    rank = serializers.IntegerField(allow_null=True, help_text="Within benchmark and class; null if not ranked")
    experiment = serializers.IntegerField(allow_null=True, help_text="Id; null for published figures")
    title = serializers.CharField()
    benchmark = serializers.CharField()
    method = serializers.CharField()
    submitter = serializers.CharField(allow_blank=True)
    standing = serializers.ChoiceField(choices=Standing.choices, allow_null=True)
    dev_pgr = serializers.FloatField(allow_null=True)
    dev = Score(allow_null=True)
    dev_over_vanilla = Score(allow_null=True, help_text="Paired difference to the vanilla student")
    external = serializers.BooleanField(help_text="Published elsewhere, on its own test set; not measured here")
    source = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    doubtful = serializers.CharField(allow_blank=True, help_text="Why its provenance is in doubt")

    def get_fields(self) -> dict[str, Any]:
        """`class` is a word of Python's, so it cannot be an attribute."""
        kind = serializers.ChoiceField(source="method_class", choices=MethodClass.choices)
        return {**super().get_fields(), "class": kind}


class TransferNote(serializers.Serializer[Any]):
    """What the latest transfer study of an experiment says."""

    study = serializers.IntegerField()
    state = serializers.ChoiceField(choices=StudyState.choices)
    says = serializers.CharField()


class BoardRowForPeople(BoardRow):
    """With the scores that only people see."""

    holdout_pgr = serializers.FloatField(allow_null=True, required=False, help_text="People only")
    holdout = Score(allow_null=True, required=False, help_text="People only")
    dev_above_holdout = serializers.FloatField(allow_null=True, required=False, help_text="People only")
    transfer = TransferNote(allow_null=True, required=False, help_text="People only; null if it was not studied")


class EventQuery(Input):
    """From where, of which campaign."""

    campaign = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=LARGEST_NUMBER, help_text="0 is the lab itself"
    )
    after = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=LARGEST_NUMBER, help_text="The last number you have seen"
    )
    subject = serializers.CharField(required=False, max_length=60, help_text='Such as "experiment:12"')
    page_size = serializers.IntegerField(required=False, default=USUAL_PAGE, min_value=1, max_value=LARGEST_PAGE)


class Event(serializers.Serializer[Any]):
    """Something that happened; numbers have no gaps within a campaign."""

    campaign = serializers.IntegerField()
    number = serializers.IntegerField()
    kind = serializers.CharField()
    subject = serializers.CharField()
    actor = serializers.CharField(source="actor.username", default=None, allow_null=True, help_text="Null: the lab")
    payload = serializers.DictField()
    created_at = serializers.DateTimeField()


class EventPage(serializers.Serializer[Any]):
    """Events after a number, oldest first."""

    results = Event(many=True)
    next = serializers.URLField(allow_null=True, help_text="The following events; null if these were the last")
    last_number = serializers.IntegerField(help_text="The highest number of the campaign")
