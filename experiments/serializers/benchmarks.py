"""Benchmarks, methods, budgets and the leak meter."""

from typing import Any

from rest_framework import serializers

from experiments.lifecycle import BenchmarkState, MethodClass
from experiments.models import Baseline as BaselineRow
from experiments.serializers.fields import Choice, Input, PageQuery

KINDS = ["pair", "claim"]
STUDENTS = ["probe", "lora", "full"]


class BenchmarkQuery(PageQuery):
    """Filters of the list of benchmarks."""

    state = Choice(choices=BenchmarkState.choices, required=False)
    search = serializers.CharField(required=False, max_length=200, help_text="In slug, title and description")


class DataQuery(Input):
    """Whose weak labels come with the training inputs."""

    teacher = serializers.IntegerField(
        required=False, default=0, min_value=0, help_text="Index of the weak teacher; run j learns from j mod teachers"
    )


class DataLine(serializers.Serializer[Any]):
    """One line of NDJSON."""

    position = serializers.IntegerField(help_text="Place within the split; predictions are in this order")
    question = serializers.CharField()
    responses = serializers.ListField(child=serializers.CharField())
    group = serializers.IntegerField(help_text="Items of one question or entity share it: fold by it, never by row")
    weak_prob = serializers.FloatField(required=False, help_text="train only: the teacher's P(label = 1)")
    weak_label = serializers.IntegerField(required=False, help_text="train only: 1 if weak_prob ≥ .5")


class UploadBudget(serializers.Serializer[Any]):
    """Uploads of the whole team in a sliding window."""

    budget = serializers.CharField()
    benchmark = serializers.CharField()
    limit = serializers.IntegerField()
    used = serializers.IntegerField()
    left = serializers.IntegerField()
    window_seconds = serializers.IntegerField()
    refills_at = serializers.DateTimeField(allow_null=True, help_text="When a place becomes free; null if one is")


class Leak(serializers.Serializer[Any]):
    """What uploaded predictions have told about the dev labels."""

    queries = serializers.IntegerField()
    updates = serializers.IntegerField(help_text="How often the Ladder moved")
    bits = serializers.FloatField()
    bias_bound = serializers.FloatField(allow_null=True, help_text="Of a dev accuracy, with probability .95")
    bias_bound_pgr = serializers.FloatField(allow_null=True, help_text="The same in PGR")


class Baseline(serializers.Serializer[Any]):
    """Frozen accuracy of one arm on one split."""

    arm = serializers.ChoiceField(choices=BaselineRow.Arm.choices)
    split = serializers.CharField()
    mean = serializers.FloatField()
    se = serializers.FloatField(help_text="From seeds and items together")
    se_seeds = serializers.FloatField()
    n_items = serializers.IntegerField()
    accuracies = serializers.ListField(child=serializers.FloatField(), help_text="One per seed")


class Dataset(serializers.Serializer[Any]):
    """Where the items come from."""

    name = serializers.CharField(source="dataset")
    version = serializers.CharField(source="dataset_version")


class Preparation(serializers.Serializer[Any]):
    """How far the benchmark's preparation is."""

    stage = serializers.CharField(allow_blank=True)
    done = serializers.IntegerField(source="progress_done")
    total = serializers.IntegerField(source="progress_total")
    error = serializers.CharField(allow_blank=True)


class Benchmark(serializers.Serializer[Any]):
    """One line of the list."""

    slug = serializers.CharField(source="benchmark.slug")
    title = serializers.CharField(source="benchmark.title")
    description = serializers.CharField(source="benchmark.description", allow_blank=True)
    kind = serializers.ChoiceField(source="benchmark.kind", choices=KINDS)
    state = serializers.ChoiceField(source="benchmark.state", choices=BenchmarkState.choices)
    preparation = Preparation(source="benchmark")
    dataset = Dataset(source="benchmark")
    weak_model = serializers.CharField(source="benchmark.weak_model")
    strong_model = serializers.CharField(source="benchmark.strong_model")
    student = serializers.ChoiceField(source="benchmark.student", choices=STUDENTS)
    offers = serializers.ListField(
        source="benchmark.offers", child=serializers.CharField(), help_text="What methods may use beside weak labels"
    )
    teachers = serializers.IntegerField(source="benchmark.teachers", help_text="How many weak teachers")
    default_seeds = serializers.IntegerField(source="benchmark.default_seeds")
    sizes = serializers.DictField(child=serializers.IntegerField(), help_text="Items per split")
    weak_accuracy = serializers.FloatField(allow_null=True, help_text="On dev, frozen")
    weak_se = serializers.FloatField(allow_null=True)
    ceiling_accuracy = serializers.FloatField(allow_null=True, help_text="On dev, frozen")
    ceiling_se = serializers.FloatField(allow_null=True)
    gap = serializers.FloatField(allow_null=True, help_text="Ceiling above weak")
    gap_over_se = serializers.FloatField(allow_null=True)
    measurable = serializers.BooleanField(allow_null=True, help_text="The gap is at least four standard errors")


class Reference(serializers.Serializer[Any]):
    """A published figure, never mixed with what the lab measured."""

    method = serializers.CharField()
    title = serializers.CharField()
    pgr_mean = serializers.FloatField()
    pgr_se_seeds = serializers.FloatField()
    pgr_se_total = serializers.FloatField()
    transfer_per_seed = serializers.ListField(child=serializers.FloatField())
    source = serializers.CharField()  # type: ignore[assignment]
    doubtful = serializers.CharField(allow_blank=True, help_text="Why its provenance is in doubt; empty if it is not")


class BenchmarkDetail(Benchmark):
    """One benchmark with its protocol, baselines, budget and leak meter."""

    split_rule = serializers.CharField(source="benchmark.split_rule", allow_blank=True)
    provenance = serializers.DictField(help_text="Digests of data, features and code; versions")
    baselines = Baseline(many=True)
    budget = UploadBudget()
    leak = Leak()
    references = Reference(many=True)
    data = serializers.DictField(child=serializers.CharField(), help_text="Addresses of the NDJSON data")  # type: ignore[assignment]


class MethodQuery(PageQuery):
    """Filters of the list of methods."""

    search = serializers.CharField(required=False, max_length=200, help_text="In name, title and summary")

    def get_fields(self) -> dict[str, Any]:
        """`class` is a word of Python's, so it cannot be an attribute."""
        return {**super().get_fields(), "class": Choice(choices=MethodClass.choices, required=False)}


class Method(serializers.Serializer[Any]):
    """A recipe that the workers carry."""

    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    source = serializers.CharField(help_text="The paper it comes from")  # type: ignore[assignment]
    uses = serializers.ListField(child=serializers.CharField())
    options_schema = serializers.DictField(help_text="JSON schema of the options, with defaults")
    code_digest = serializers.CharField()
    enabled = serializers.BooleanField()

    def get_fields(self) -> dict[str, Any]:
        """`class` is a word of Python's, so it cannot be an attribute."""
        kind = serializers.ChoiceField(source="method_class", choices=MethodClass.choices)
        return {**super().get_fields(), "class": kind}
