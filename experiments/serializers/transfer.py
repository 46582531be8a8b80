"""Transfer studies: what is asked, the plan that is frozen, and a verdict per cell."""

from typing import Any

from rest_framework import serializers

from experiments.lifecycle import ExperimentState, Standing, StudyState, Verdict
from experiments.seeds import MOST_SEEDS
from experiments.serializers.fields import LARGEST_NUMBER, Choice, Input, PageQuery, Score
from experiments.transfer.plans import FEWEST_SEEDS, MOST_CELLS, USUAL_SEEDS, USUAL_THETA


class CellInput(Input):
    """One cell: a dataset with a weak and a strong model, which is what a benchmark is."""

    benchmark = serializers.SlugField(help_text="Slug of a ready benchmark other than the experiment's own")


class StudyInput(Input):
    """Which method, where, and what will count as transfer."""

    experiment = serializers.IntegerField(
        min_value=1, max_value=LARGEST_NUMBER, help_text="A scored experiment: its method and options are studied"
    )
    cells = serializers.ListField(child=CellInput(), min_length=1, max_length=MOST_CELLS)
    theta_min = serializers.FloatField(
        required=False, default=USUAL_THETA, min_value=0, max_value=1, help_text="Smallest PGR that counts, below 1"
    )
    seeds = serializers.IntegerField(
        required=False,
        default=USUAL_SEEDS,
        min_value=FEWEST_SEEDS,
        max_value=MOST_SEEDS,
        help_text="Runs per cell; with fewer than five the study is exploratory",
    )


class StudyQuery(PageQuery):
    """Which studies."""

    experiment = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_NUMBER)
    method = serializers.CharField(required=False, max_length=50, help_text="Name of the recipe, or `code`")
    state = Choice(choices=StudyState.choices, required=False)


class PlannedCell(serializers.Serializer[Any]):
    """One cell as it stood when the plan was frozen."""

    benchmark = serializers.CharField()
    dataset = serializers.CharField()
    dataset_version = serializers.CharField(allow_blank=True)
    weak_model = serializers.CharField()
    strong_model = serializers.CharField()
    student = serializers.CharField()
    labels = serializers.CharField(allow_blank=True, help_text="SHA-256 of the sealed labels")
    n_items = serializers.IntegerField(help_text="Items of the holdout split")
    weak = serializers.FloatField(help_text="Accuracy of the weak teachers")
    vanilla = serializers.FloatField(help_text="Accuracy of the vanilla student, the baseline")
    ceiling = serializers.FloatField()
    gap = serializers.FloatField(help_text="Ceiling minus weak")
    gap_over_se = serializers.FloatField(allow_null=True, help_text="About; below 4 nothing will be measurable")
    disagreement = serializers.FloatField(help_text="Share of items on which two arms differ")
    design_effect = serializers.FloatField(help_text="How many times the variance grows as items share questions")
    seed_sd = serializers.FloatField(help_text="Standard deviation of accuracy between runs")
    measured = serializers.BooleanField(help_text="False: the three above are the most that they can be")
    mde = serializers.FloatField(
        allow_null=True,
        help_text="Least PGR above theta_min that is told from it with a chance of 80%; null without a gap",
    )
    replicate = serializers.IntegerField(help_text="Numbers the seeds, which no run of this method has had there")
    seen_before = serializers.IntegerField(help_text="Scored experiments of this method there before the study")
    variants_before = serializers.IntegerField(
        default=None, allow_null=True, help_text="And of variants of it; null in plans frozen before they were counted"
    )


class Source(serializers.Serializer[Any]):
    """Where the method was chosen: no evidence of transfer."""

    benchmark = serializers.CharField()
    dev_pgr = serializers.FloatField(allow_null=True)
    chosen_of = serializers.IntegerField(help_text="Scored experiments there that it leads, itself among them; else 1")
    selection_bias = serializers.FloatField(allow_null=True, help_text="What being the best of so many gives by itself")
    dev_pgr_less_bias = serializers.FloatField(allow_null=True)


class Plan(serializers.Serializer[Any]):
    """What was decided before the first run; `plan_hash` is the SHA-256 of exactly this, as canonical JSON."""

    version = serializers.IntegerField()
    experiment = serializers.IntegerField()
    method = serializers.CharField()
    method_digest = serializers.CharField()
    options = serializers.DictField()
    snapshot = serializers.CharField(allow_null=True, help_text="SHA-256 of the code, if it is code")
    source = Source()  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=["confirmatory", "exploratory"])
    split = serializers.CharField()
    theta_min = serializers.FloatField()
    alpha = serializers.FloatField(help_text="One-sided")
    seeds = serializers.IntegerField()
    correction = serializers.CharField(help_text="For several cells: holm, or benjamini-hochberg where it explores")
    exclusions = serializers.CharField()
    stop = serializers.CharField()
    cells = PlannedCell(many=True)


class Preview(serializers.Serializer[Any]):
    """What a study would freeze now; nothing was written."""

    plan = Plan()
    plan_hash = serializers.CharField()


class Settle(serializers.Serializer[Any]):
    """What would settle an open question with a chance of 80%, if the estimate stays; null: that alone would not."""

    items = serializers.IntegerField(allow_null=True, help_text="With as many seeds")
    seeds = serializers.IntegerField(allow_null=True, help_text="Per arm, with as many items")
    both = serializers.ListField(
        child=serializers.IntegerField(), allow_null=True, help_text="Items and seeds, where neither alone is enough"
    )


class Sensitivity(serializers.Serializer[Any]):
    """The cell if every failed run had recovered nothing."""

    verdict = serializers.ChoiceField(choices=Verdict.choices)
    pgr = serializers.FloatField(allow_null=True)


class Cell(serializers.Serializer[Any]):
    """One cell and its verdict, which is null until its experiment has ended."""

    benchmark = serializers.CharField(source="cell.benchmark.slug")
    experiment = serializers.IntegerField(source="cell.experiment_id", help_text="What runs there")
    state = serializers.ChoiceField(source="cell.experiment.state", choices=ExperimentState.choices)
    standing = serializers.ChoiceField(source="cell.experiment.standing", choices=Standing.choices)
    counts = serializers.BooleanField(help_text="Whether the headline counts its verdict: not while it is held")
    mde = serializers.FloatField(allow_null=True)
    verdict = serializers.ChoiceField(choices=Verdict.choices, allow_null=True)
    says = serializers.CharField(source="numbers.says", allow_blank=True, help_text="The verdict in a sentence")
    pgr = Score(source="numbers.pgr", allow_null=True, help_text="With Fieller's 95% interval")
    over_vanilla = Score(
        source="numbers.over_vanilla", allow_null=True, help_text="PGR beyond that of the vanilla student"
    )
    lower = serializers.FloatField(
        source="numbers.lower", allow_null=True, help_text="One-sided 95% lower bound of the PGR"
    )
    upper = serializers.FloatField(
        source="numbers.upper", allow_null=True, help_text="One-sided 95% upper bound of the PGR"
    )
    p = serializers.FloatField(source="numbers.p", allow_null=True, help_text="That the PGR is at most theta_min")
    p_adjusted = serializers.FloatField(allow_null=True, help_text="For all cells of the study")
    gap_over_se = serializers.FloatField(source="numbers.gap_over_se", allow_null=True)
    sensitivity = Sensitivity(source="numbers.sensitivity", allow_null=True, help_text="Null where no run failed")
    accuracies = serializers.DictField(
        source="numbers.accuracies", child=serializers.FloatField(), help_text="Of weak, candidate, vanilla and ceiling"
    )
    bootstrap = serializers.ListField(
        source="numbers.bootstrap", child=serializers.FloatField(), allow_null=True,
        help_text="95% interval of the PGR by resampling: a check, not the answer",
    )  # fmt: skip
    failed = serializers.IntegerField(source="numbers.failed", help_text="Runs without predictions")
    settle = Settle(source="numbers.settle", allow_null=True)
    error = serializers.CharField(source="cell.error", allow_blank=True, help_text="Why it did not run")
    judged_at = serializers.DateTimeField(source="cell.judged_at", allow_null=True)


class Headline(serializers.Serializer[Any]):
    """In how many cells it transfers at least, at 95%: the partial conjunction, not a mean."""

    at_least = serializers.IntegerField(help_text="Cells; of a study that explores: those with q < .10")
    cells = serializers.IntegerField()
    confirmed = serializers.BooleanField(help_text="False: the study explores, and nothing is claimed")
    p = serializers.FloatField(allow_null=True, help_text="Of that many; null for none")
    says = serializers.CharField()


class Pooled(serializers.Serializer[Any]):
    """Random effects over four cells or more: the mean PGR, and where a new cell's would lie."""

    pgr = serializers.FloatField(source="mean")
    low = serializers.FloatField()
    high = serializers.FloatField()
    new_low = serializers.FloatField(help_text="Of the 95% prediction interval for a new cell")
    new_high = serializers.FloatField()
    i2 = serializers.FloatField(help_text="Share of the spread that is not noise")
    cells = serializers.IntegerField()


class Study(serializers.Serializer[Any]):
    """One study with its cells; the headline is null until every cell is judged."""

    id = serializers.IntegerField(source="study.pk")
    experiment = serializers.IntegerField(source="study.experiment_id")
    method = serializers.CharField(source="study.experiment.method.name")
    author = serializers.CharField(source="study.author.username")
    state = serializers.ChoiceField(source="study.state", choices=StudyState.choices)
    kind = serializers.CharField()
    theta_min = serializers.FloatField(source="study.theta_min")
    seeds = serializers.IntegerField(source="study.seeds")
    plan_hash = serializers.CharField(source="study.plan_hash")
    created_at = serializers.DateTimeField(source="study.created_at")
    finished_at = serializers.DateTimeField(source="study.finished_at", allow_null=True)
    headline = Headline(allow_null=True)
    pooled = Pooled(allow_null=True)
    cells = Cell(many=True)


class StudyDetail(Study):
    """With the plan, whose hash is `plan_hash`."""

    plan = Plan(source="study.plan")
