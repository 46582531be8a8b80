"""The rows of the laboratory: benchmarks, methods, experiments, runs, evaluations, events."""

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from experiments.archives.models import ImportedCampaign, ImportedRow  # noqa: F401 - so that Django finds them
from experiments.indexes import EXPERIMENT_INDEXES, RUN_INDEXES
from experiments.leased import Lease
from experiments.lifecycle import RUN_TERMINAL, BenchmarkState, ExperimentState, MethodClass, RunState, Standing
from experiments.probe_models import Probe  # noqa: F401 - so that Django finds it
from experiments.querysets import BenchmarkQuerySet, EvaluationQuerySet, ExperimentQuerySet, RunQuerySet
from experiments.snapshots.models import Snapshot
from experiments.transfer.models import TransferCell, TransferStudy  # noqa: F401 - so that Django finds them
from experiments.triggers import RECORD, append_only


class Benchmark(Lease):
    """A dataset, a weak and a strong model, and the protocol under which methods compete on it.

    Once READY its data and baselines never change; a new version is a new benchmark.
    """

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    dataset = models.CharField(max_length=200, help_text="Name of a built-in dataset, or where it was imported from")
    dataset_version = models.CharField(max_length=40, blank=True)
    kind = models.CharField(max_length=8, choices=[("pair", "Pair"), ("claim", "Claim")], default="pair")
    split_rule = models.TextField(blank=True)
    weak_model = models.CharField(max_length=200)
    strong_model = models.CharField(max_length=200)
    student = models.CharField(
        max_length=8, choices=[("probe", "Probe"), ("lora", "LoRA"), ("full", "Full fine-tuning")], default="probe"
    )
    offers = models.JSONField(default=list, help_text="What methods may use beside weak labels")
    teachers = models.PositiveSmallIntegerField(default=20)
    default_seeds = models.PositiveSmallIntegerField(default=20)
    on_demand = models.BooleanField(default=False)
    builtin = models.BooleanField(default=False)

    state = models.CharField(max_length=12, choices=BenchmarkState, default=BenchmarkState.REGISTERED, db_index=True)
    stage = models.CharField(max_length=60, blank=True, default="")
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    stage_started_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")

    sizes = models.JSONField(default=dict, help_text="Items per split")
    provenance = models.JSONField(default=dict, help_text="Digests of data, ground truth, features, code; versions")
    query_limit = models.PositiveIntegerField(default=100, help_text="Uploads scored per window, whole team")
    query_window_seconds = models.PositiveIntegerField(default=86_400)
    created_at = models.DateTimeField(auto_now_add=True)
    ready_at = models.DateTimeField(null=True, blank=True)

    objects = BenchmarkQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Item(models.Model):
    """One question with its responses; the label lies elsewhere."""

    benchmark = models.ForeignKey(Benchmark, on_delete=models.CASCADE, related_name="items")
    split = models.CharField(max_length=14)
    position = models.PositiveIntegerField(help_text="Place within its split: predictions are in this order")
    question = models.TextField()
    responses = models.JSONField()
    group = models.CharField(max_length=200, help_text="Unit of splits, folds and bootstraps")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["benchmark", "split", "position"], name="item_place_unique")
        ]

    def __str__(self) -> str:
        return f"{self.split}[{self.position}] of benchmark {self.benchmark_id}"


class WeakTeacher(models.Model):
    """One trained weak teacher: its soft labels on the student's training pool."""

    benchmark = models.ForeignKey(Benchmark, on_delete=models.CASCADE, related_name="weak_teachers")
    index = models.PositiveSmallIntegerField()
    seed = models.BigIntegerField()
    probs = models.BinaryField(help_text="float32, one P(label = 1) per student_train item")
    digest = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["benchmark", "index"], name="weak_teacher_unique")]
        triggers: ClassVar = [pgtrigger.Protect(name="weak_teacher_frozen", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"teacher {self.index} of benchmark {self.benchmark_id}"


class Baseline(models.Model):
    """Frozen accuracy of one arm on one split, over several seeds; never silently recomputed."""

    class Arm(models.TextChoices):
        """Which students or teachers were measured."""

        WEAK = "weak", "Weak teacher"
        CEILING = "ceiling", "Ceiling"
        VANILLA = "vanilla", "Vanilla student"
        CONTROL = "control", "Control: weak features"

    benchmark = models.ForeignKey(Benchmark, on_delete=models.CASCADE, related_name="baselines")
    arm = models.CharField(max_length=10, choices=Arm)
    split = models.CharField(max_length=14)
    accuracies = models.JSONField(help_text="One accuracy per seed")
    mean = models.FloatField()
    se = models.FloatField(help_text="Standard error from seeds and items together")
    se_seeds = models.FloatField(help_text="Standard error over seeds alone")
    n_items = models.PositiveIntegerField()
    provenance = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["benchmark", "arm", "split"], name="baseline_unique")]
        triggers: ClassVar = [pgtrigger.Protect(name="baseline_frozen", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.arm} on {self.split}: {self.mean:.3f}"


class ReferenceResult(models.Model):
    """A published figure shown beside our own; external, never mixed with what the lab measured."""

    benchmark = models.ForeignKey(Benchmark, on_delete=models.CASCADE, related_name="reference_results")
    method = models.CharField(max_length=80)
    title = models.CharField(max_length=120)
    transfer_per_seed = models.JSONField()
    pgr_mean = models.FloatField()
    pgr_se_seeds = models.FloatField()
    pgr_se_total = models.FloatField()
    source = models.CharField(max_length=300)
    doubtful = models.TextField(blank=True, default="", help_text="Why its provenance is in doubt; empty if it is not")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["benchmark", "method"], name="reference_result_unique")
        ]

    def __str__(self) -> str:
        return f"{self.method} on {self.benchmark_id}: {self.pgr_mean:.2f}"


class Method(models.Model):
    """A recipe that the workers carry, as they announced it at their start."""

    name = models.SlugField(unique=True)
    title = models.CharField(max_length=120)
    summary = models.TextField()
    source = models.TextField()
    uses = models.JSONField(default=list)
    method_class = models.CharField(max_length=16, choices=MethodClass)
    options_schema = models.JSONField(default=dict, help_text="JSON schema of the options")
    code_digest = models.CharField(max_length=64)
    enabled = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Experiment(models.Model):
    """A method on a benchmark over several server-chosen seeds."""

    benchmark = models.ForeignKey(Benchmark, on_delete=models.PROTECT, related_name="experiments")
    method = models.ForeignKey(Method, on_delete=models.PROTECT, related_name="experiments")
    snapshot = models.ForeignKey(Snapshot, null=True, blank=True, on_delete=models.PROTECT, related_name="experiments")
    options = models.JSONField(default=dict)
    method_digest = models.CharField(max_length=64, help_text="Of the method's code and options")
    method_class = models.CharField(max_length=16, choices=MethodClass)
    title = models.CharField(max_length=200)
    hypothesis = models.TextField(blank=True, default="")
    submitter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="experiments")
    seeds = models.PositiveSmallIntegerField()
    replicate = models.PositiveSmallIntegerField(default=0, help_text="0 first; each rerun with fresh seeds adds 1")
    rerun_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="reruns")
    priority = models.SmallIntegerField(default=0)
    campaign = models.PositiveBigIntegerField(default=0, help_text="Log it is told in beside the lab's own; 0: none")
    held = models.BooleanField(default=False, help_text="Its submitter is paused: queued runs wait")

    flags = models.JSONField(default=list, help_text="What its submitter may know of flags on it: id, level, state")
    tainted_by = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="taints", help_text="Held; ours descends"
    )

    state = models.CharField(max_length=10, choices=ExperimentState, default=ExperimentState.QUEUED)
    standing = models.CharField(max_length=14, choices=Standing, default=Standing.COUNTED)
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    worker_seconds = models.FloatField(default=0)
    provenance = models.JSONField(default=dict)

    # The score, written once by record_experiment_score; indexed columns because pages sort by them.
    dev_accuracy = models.FloatField(null=True, blank=True)
    dev_pgr = models.FloatField(null=True, blank=True)
    dev_score = models.JSONField(default=dict, help_text="se, low, high, bounded, n_items, n_seeds, against vanilla")
    holdout_accuracy = models.FloatField(null=True, blank=True)
    holdout_pgr = models.FloatField(null=True, blank=True)
    holdout_score = models.JSONField(default=dict)

    search = SearchVectorField(null=True, editable=False)

    objects = ExperimentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = EXPERIMENT_INDEXES
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=ExperimentState.values), name="experiment_state_known"),
            models.CheckConstraint(condition=Q(seeds__gte=1), name="experiment_seeds_positive"),
            models.CheckConstraint(
                condition=~Q(state=ExperimentState.SCORED) | Q(dev_accuracy__isnull=False),
                name="experiment_scored_has_score",
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.UpdateSearchVector(
                name="experiment_search_vector",
                vector_field="search",
                document_fields=["title", "hypothesis"],
            ),
            pgtrigger.Protect(name="experiment_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"experiment {self.pk}: {self.title}"


class Run(Lease):
    """One seed of an experiment."""

    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="runs")
    seed_index = models.PositiveSmallIntegerField()
    seed = models.BigIntegerField(help_text="Drawn by the server from its secret and the method")
    state = models.CharField(max_length=10, choices=RunState, default=RunState.QUEUED)
    progress_stage = models.CharField(max_length=60, blank=True, default="")
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=120, blank=True, default="")
    dev_accuracy = models.FloatField(null=True, blank=True)
    dev_pgr = models.FloatField(null=True, blank=True)
    holdout_accuracy = models.FloatField(null=True, blank=True)
    holdout_pgr = models.FloatField(null=True, blank=True)
    curves = models.JSONField(default=list, help_text='[{"name", "x", "y"}]: what training reported')
    log = models.TextField(blank=True, default="")
    error = models.TextField(blank=True, default="")

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["experiment", "seed_index"]
        indexes: ClassVar = RUN_INDEXES
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["experiment", "seed_index"], name="run_seed_index_unique"),
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="run_state_known"),
        ]
        triggers: ClassVar = [
            RECORD.final("run", RUN_TERMINAL),
            RECORD.fixed("run", "id", "experiment_id", "seed_index", "seed"),
            *RECORD.kept("run"),
        ]

    def __str__(self) -> str:
        return f"run {self.seed_index} of experiment {self.experiment_id}"


class Prediction(models.Model):
    """What one run predicted on one split, as P(label = 1); the scorer reads nothing else."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="predictions")
    split = models.CharField(max_length=14)
    probs = models.BinaryField(help_text="float32, in the order of the split's positions")
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "split"], name="prediction_unique")]
        triggers: ClassVar = [append_only("prediction_append_only")]

    def __str__(self) -> str:
        return f"prediction of run {self.run_id} on {self.split}"


class Evaluation(models.Model):
    """One scoring: of a run's prediction on a split (verified), or of an uploaded vector (unverified).

    Keyed to scorer and ground-truth version, so that a later scorer adds rows and changes none.
    """

    benchmark = models.ForeignKey(Benchmark, on_delete=models.PROTECT, related_name="evaluations")
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.PROTECT, related_name="evaluations")
    submitter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="evaluations")
    split = models.CharField(max_length=14)
    verified = models.BooleanField()
    predictions = models.BinaryField(null=True, help_text="Packed bits of an uploaded vector; null for runs")
    predictions_digest = models.CharField(max_length=64)
    n_items = models.PositiveIntegerField()
    accuracy = models.FloatField(help_text="Exact; for uploads only people see it")
    pgr = models.FloatField(null=True)
    reported_pgr = models.FloatField(null=True, help_text="What the submitter was told (Ladder for uploads)")
    charged_bits = models.FloatField(default=0)
    scorer_version = models.CharField(max_length=20)
    ground_truth_digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["benchmark", "verified", "-id"], name="evaluation_window"),
            models.Index(fields=["submitter", "-id"], name="evaluation_submitter"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "split", "scorer_version", "ground_truth_digest"],
                condition=Q(run__isnull=False),
                name="evaluation_once_per_scorer",
            )
        ]
        triggers: ClassVar = [append_only("evaluation_append_only")]

    def __str__(self) -> str:
        return f"evaluation {self.pk} on {self.split}"


class Upload(models.Model):
    """A prediction vector from outside on its way to the scorer; kept first, so that a lost message loses nothing."""

    benchmark = models.ForeignKey(Benchmark, on_delete=models.PROTECT, related_name="uploads")
    submitter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="uploads")
    predictions = models.BinaryField(help_text="Packed bits, in the order of the dev positions")
    predictions_digest = models.CharField(max_length=64)
    n_items = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    evaluation = models.OneToOneField(
        Evaluation, null=True, on_delete=models.PROTECT, related_name="upload", help_text="Null until it is scored"
    )

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["benchmark", "-created_at"], name="upload_window"),
            models.Index(fields=["id"], condition=Q(evaluation__isnull=True), name="upload_waiting"),
        ]
        triggers: ClassVar = [pgtrigger.Protect(name="upload_kept", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"upload {self.pk} to benchmark {self.benchmark_id}"


class LeakMeter(models.Model):
    """What uploads have learned about a benchmark's dev labels, and the Ladder's last step; one locked row."""

    benchmark = models.OneToOneField(Benchmark, on_delete=models.CASCADE, related_name="leak_meter")
    queries = models.PositiveIntegerField(default=0)
    updates = models.PositiveIntegerField(default=0)
    best_accuracy = models.FloatField(null=True, blank=True, help_text="Best so far, rounded to the Ladder's step")
    bits = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{self.bits:.1f} bits over {self.queries} queries"


class IdempotencyRecord(models.Model):
    """The first answer to a creating call that carried an Idempotency-Key."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "path", "key"], name="idempotency_key_unique")]

    def __str__(self) -> str:
        return f"{self.path} {self.key}"


class EventCounter(models.Model):
    """The last number given out in a campaign's log; its row lock makes numbers follow commit order."""

    campaign = models.PositiveBigIntegerField(primary_key=True, help_text="0: the lab itself")
    last_number = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"campaign {self.campaign}: {self.last_number}"


class Event(models.Model):
    """Something that happened, numbered without gaps within its campaign; append-only."""

    campaign = models.PositiveBigIntegerField(default=0)
    number = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=60, help_text='Such as "experiment:12"')
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["subject", "-id"], name="event_subject")]
        constraints: ClassVar = [models.UniqueConstraint(fields=["campaign", "number"], name="event_number_unique")]
        triggers: ClassVar = RECORD.append_only("event")

    def __str__(self) -> str:
        return f"{self.campaign}#{self.number} {self.kind} {self.subject}"


class WorkerSeen(models.Model):
    """A worker process that said it lives: what it serves, what it runs on, what it is doing."""

    name = models.CharField(max_length=120, unique=True)
    queues = models.JSONField(default=list)
    device = models.CharField(max_length=120, blank=True, default="")
    versions = models.JSONField(default=dict)
    doing = models.CharField(max_length=200, blank=True, default="")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)
    runs_done = models.PositiveIntegerField(default=0)
    runs_failed = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.name
