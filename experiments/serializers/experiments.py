"""Experiments: what is submitted, and what is told of them to whom."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from experiments.lifecycle import ExperimentState, MethodClass, RunState, Standing
from experiments.seeds import MOST_SEEDS
from experiments.serializers.fields import LARGEST_NUMBER, Choice, Input, PageQuery, Score

ORDERS = {
    "id": "id", "-id": "-id", "created_at": "id", "-created_at": "-id", "dev_pgr": "dev_pgr", "-dev_pgr": "-dev_pgr",
    "worker_seconds": "worker_seconds", "-worker_seconds": "-worker_seconds",
}  # fmt: skip
HOLDOUT_ORDERS = {"holdout_pgr": "holdout_pgr", "-holdout_pgr": "-holdout_pgr"}


class Options(serializers.DictField):
    """A method's options; its own schema checks them. Only text that a database can hold is let through."""

    def to_internal_value(self, data: Any) -> Any:
        for text in _texts(data):
            if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
                raise serializers.ValidationError("null characters and surrogates are not allowed", code="invalid")
        return super().to_internal_value(data)


class MethodInput(Input):
    """Which method, with which options."""

    recipe = serializers.SlugField(required=False, help_text="Name of a method, as `GET methods/` lists them")
    options = Options(required=False, default=dict, help_text="As the method's `options_schema` describes them")
    snapshot = serializers.IntegerField(
        required=False, min_value=1, max_value=LARGEST_NUMBER, help_text="Id of code, in place of a recipe"
    )


class ExperimentInput(Input):
    """A method on a benchmark over several seeds, which the server draws."""

    benchmark = serializers.SlugField(help_text="Slug")
    title = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)
    hypothesis = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=10_000, help_text="What you expect, and why"
    )
    method = MethodInput()
    seeds = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_SEEDS, help_text="How many runs; the benchmark's default if absent"
    )


class Ordering(serializers.ChoiceField):
    """Orders; those by holdout scores only for whoever may see them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[*ORDERS, *HOLDOUT_ORDERS], **kwargs)

    def to_internal_value(self, data: Any) -> str:
        allowed = ORDERS | (HOLDOUT_ORDERS if self.context.get("holdout") else {})
        if data not in allowed:
            raise serializers.ValidationError(f"{data!r} is not one of: {', '.join(allowed)}", code="invalid_choice")
        return allowed[data]


class ExperimentQuery(PageQuery):
    """Filters, search and order of the list of experiments."""

    benchmark = serializers.CharField(required=False, max_length=50, help_text="Slug")
    submitter = serializers.CharField(required=False, max_length=150, help_text="Name of the account")
    method = serializers.CharField(required=False, max_length=50, help_text="Name of the recipe")
    state = Choice(choices=ExperimentState.choices, required=False)
    standing = Choice(choices=Standing.choices, required=False)
    search = serializers.CharField(required=False, max_length=200, help_text="Words of title and hypothesis, or an id")
    ordering = Ordering(required=False, default="-id", help_text="Newest first if absent; rows without a value last")

    def get_fields(self) -> dict[str, Any]:
        """`class` is a word of Python's, so it cannot be an attribute."""
        return {**super().get_fields(), "class": Choice(choices=MethodClass.choices, required=False)}


class MethodUse(serializers.Serializer[Any]):
    """The method of an experiment."""

    recipe = serializers.CharField(source="method.name", help_text="`code` where there is a snapshot")
    snapshot = serializers.IntegerField(source="snapshot_id", allow_null=True, help_text="Id of the code, if any")
    options = serializers.DictField()
    digest = serializers.CharField(source="method_digest", help_text="Of code and options")


class Progress(serializers.Serializer[Any]):
    """How far a run is."""

    stage = serializers.CharField(source="progress_stage", allow_blank=True)
    done = serializers.IntegerField(source="progress_done")
    total = serializers.IntegerField(source="progress_total")


class Curve(serializers.Serializer[Any]):
    """One figure that training reported."""

    name = serializers.CharField()
    x = serializers.ListField(child=serializers.FloatField())
    y = serializers.ListField(child=serializers.FloatField())


@extend_schema_field(Curve(many=True))
class Curves(serializers.JSONField):
    """The curves as the row holds them; their points are not looked at one by one."""


class Run(serializers.Serializer[Any]):
    """One seed."""

    id = serializers.IntegerField(source="run.pk")
    seed_index = serializers.IntegerField(source="run.seed_index")
    state = serializers.ChoiceField(source="run.state", choices=RunState.choices)
    progress = Progress(source="run")
    attempt = serializers.IntegerField(source="run.attempt", help_text="How often a worker has taken it up")
    worker = serializers.CharField(source="run.worker", allow_blank=True)
    started_at = serializers.DateTimeField(source="run.started_at", allow_null=True)
    finished_at = serializers.DateTimeField(source="run.finished_at", allow_null=True)
    dev_accuracy = serializers.FloatField(source="run.dev_accuracy", allow_null=True)
    dev_pgr = serializers.FloatField(source="run.dev_pgr", allow_null=True)
    curves = Curves(source="run.curves")
    log_tail = serializers.CharField(allow_blank=True)
    error = serializers.CharField(source="run.error", allow_blank=True)


class RunForPeople(Run):
    """With the scores that only people see."""

    holdout_accuracy = serializers.FloatField(source="run.holdout_accuracy", allow_null=True, required=False)
    holdout_pgr = serializers.FloatField(source="run.holdout_pgr", allow_null=True, required=False)


class Links(serializers.Serializer[Any]):
    """Where to go from here."""

    self = serializers.CharField()
    cancel = serializers.CharField()
    rerun = serializers.CharField()
    benchmark = serializers.CharField()


class FlagNotice(serializers.Serializer[Any]):
    """What is told of a flag: people decide what it means."""

    id = serializers.IntegerField()
    level = serializers.CharField()
    state = serializers.CharField()


class Experiment(serializers.Serializer[Any]):
    """One line of the list."""

    id = serializers.IntegerField(source="experiment.pk")
    title = serializers.CharField(source="experiment.title")
    hypothesis = serializers.CharField(source="experiment.hypothesis", allow_blank=True)
    benchmark = serializers.CharField(source="experiment.benchmark.slug")
    method = MethodUse(source="experiment")
    submitter = serializers.CharField(source="experiment.submitter.username")
    state = serializers.ChoiceField(source="experiment.state", choices=ExperimentState.choices)
    standing = serializers.ChoiceField(source="experiment.standing", choices=Standing.choices)
    flags = FlagNotice(many=True, help_text="Flags on it, for its submitter and for people")
    tainted_by = serializers.IntegerField(
        source="experiment.tainted_by_id", allow_null=True, help_text="Held experiment whose code it descends from"
    )
    seeds = serializers.IntegerField(source="experiment.seeds", help_text="How many runs")
    run_states = serializers.DictField(child=serializers.IntegerField(), help_text="Number of runs in each state")
    replicate = serializers.IntegerField(source="experiment.replicate", help_text="Each rerun with fresh seeds adds 1")
    rerun_of = serializers.IntegerField(source="experiment.rerun_of_id", allow_null=True)
    created_at = serializers.DateTimeField(source="experiment.created_at")
    started_at = serializers.DateTimeField(source="experiment.started_at", allow_null=True)
    finished_at = serializers.DateTimeField(source="experiment.finished_at", allow_null=True)
    worker_seconds = serializers.FloatField(source="experiment.worker_seconds")
    error = serializers.CharField(source="experiment.error", allow_blank=True)
    dev_accuracy = serializers.FloatField(source="experiment.dev_accuracy", allow_null=True)
    dev_pgr = serializers.FloatField(source="experiment.dev_pgr", allow_null=True, help_text="Mean over the runs")
    dev = Score(allow_null=True, help_text="Dev PGR with its interval; null until scored")
    dev_over_vanilla = Score(allow_null=True, help_text="Paired difference to the vanilla student")
    links = Links()

    def get_fields(self) -> dict[str, Any]:
        """`class` is a word of Python's, so it cannot be an attribute."""
        kind = serializers.ChoiceField(source="experiment.method_class", choices=MethodClass.choices)
        return {**super().get_fields(), "class": kind}


class ExperimentForPeople(Experiment):
    """With the scores that only people see."""

    holdout_accuracy = serializers.FloatField(source="experiment.holdout_accuracy", allow_null=True, required=False)
    holdout_pgr = serializers.FloatField(source="experiment.holdout_pgr", allow_null=True, required=False)
    holdout = Score(allow_null=True, required=False, help_text="People only")
    holdout_over_vanilla = Score(allow_null=True, required=False, help_text="People only")


class ExperimentDetail(Experiment):
    """One experiment with its runs."""

    runs = Run(many=True)
    provenance = serializers.DictField(help_text="Digests of code, data and weights; versions")


class ExperimentDetailForPeople(ExperimentForPeople):
    """With the scores that only people see."""

    runs = RunForPeople(many=True)
    provenance = serializers.DictField(help_text="Digests of code, data and weights; versions")


def _texts(value: Any) -> Any:
    """Every string in a JSON value, names of members among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from (str(name), *_texts(below))
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
