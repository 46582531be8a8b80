"""From the rows of one scored experiment to what detectors are given."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from django.db.models import QuerySet

from experiments.inspecting import numbers_of
from experiments.lifecycle import ExperimentState, ProbeState, RunState
from experiments.models import Experiment, Run, WeakTeacher
from experiments.models import Upload as UploadRow
from experiments.services.code import CODE
from experiments.snapshots.selectors import files_of
from forum.models import FindingExperiment
from oversight.detectors._heuristics import bank
from oversight.facts import (
    Attempt,
    Citation,
    Decoys,
    Earlier,
    ExperimentFacts,
    Numbers,
    ProbeResult,
    ReadingFacts,
    RunScore,
    Upload,
)
from oversight.models import Reading
from oversight.models.readings import ReadingState
from oversight.selectors.likeness import likeness_of, options_likeness
from oversight.selectors.lineage import taints_of
from oversight.selectors.predictions import Splits, bits_of_runs, bits_of_upload, texts
from oversight.selectors.trained_on import trained_on

MOST_ATTEMPTS = 200  # look-alikes are searched among the latest so many
MOST_EARLIER = 60
MOST_UPLOADS = 100


def experiment_facts(experiment_id: int) -> ExperimentFacts | None:
    """Everything about a scored experiment; None where it is not scored or its predictions are gone.

    Reaches ground truth through the scorer: evaluation workers only. Raises: GroundTruthError.
    """
    rows = Experiment.objects.select_related("benchmark", "method", "snapshot")
    row = rows.filter(pk=experiment_id, state=ExperimentState.SCORED).first()
    if row is None:
        return None
    scored = list(row.runs.filter(state=RunState.SCORED).defer("curves", "log").order_by("seed_index"))
    bits = bits_of_runs(run.pk for run in scored)
    runs = [run for run in scored if run.pk in bits]
    if not runs:
        return None
    dev, holdout = (np.stack([bits[run.pk][split] for run in runs]) for split in ("dev", "holdout"))
    items, training = texts(row.benchmark, "dev"), texts(row.benchmark, "student_train")
    rules = bank(items, training) if len(items) == dev.shape[1] else {}
    files = files_of(row.snapshot_id) if row.snapshot_id else {}
    team = _team(row)
    best = team.order_by("-dev_accuracy", "id").values_list("pk", flat=True).first()
    return ExperimentFacts(
        experiment=row.pk,
        benchmark=row.benchmark.slug,
        submitter=row.submitter_id,
        method=row.method.name,
        method_class=row.method_class,
        files=files,
        runs=tuple(
            RunScore(run.pk, run.seed_index, run.dev_accuracy or 0.0, run.holdout_accuracy or 0.0) for run in runs
        ),
        failed_runs=row.seeds - len(scored),
        dev=dev,
        holdout=holdout,
        dev_accuracy=row.dev_accuracy or 0.0,
        holdout_accuracy=row.holdout_accuracy or 0.0,
        dev_pgr=row.dev_pgr,
        items=items if rules else (),
        training=training,
        numbers=Numbers(**asdict(numbers_of(row.benchmark, dev, holdout, rules, trained_on(row.provenance, training)))),
        candidates=team.count(),
        best_on_dev=best == row.pk,
        attempts=tuple(_attempts(row, files)),
        citations=tuple(_citations(row)),
        earlier=tuple(_earlier(row)) if files else (),
        probes=tuple(_probes(row)),
        readings=tuple(_readings(row)),
        decoys=_decoys(row.provenance),
        taints=tuple(taints_of(row)),
        uploads=tuple(_uploads(row)),
        teacher_digests_hold=_teachers_hold(row.benchmark_id),
    )


def failed_facts(experiment_id: int) -> ExperimentFacts | None:
    """What is known of code that failed: its files, and what planted files saw; no runs, no predictions."""
    rows = Experiment.objects.select_related("benchmark", "method")
    row = rows.filter(pk=experiment_id, state=ExperimentState.FAILED, snapshot__isnull=False).first()
    if row is None or row.snapshot_id is None:
        return None
    nothing = np.zeros((0, 0), dtype=bool)
    return ExperimentFacts(
        experiment=row.pk,
        benchmark=row.benchmark.slug,
        submitter=row.submitter_id,
        method=row.method.name,
        method_class=row.method_class,
        files=files_of(row.snapshot_id),
        runs=(),
        failed_runs=row.seeds,
        dev=nothing,
        holdout=nothing,
        dev_accuracy=0.0,
        holdout_accuracy=0.0,
        dev_pgr=None,
        decoys=_decoys(row.provenance),
    )


def _team(row: Experiment) -> "QuerySet[Experiment]":
    """Scored experiments of the same campaign, or of the same person, on the benchmark."""
    together: dict[str, Any] = {"campaign": row.campaign} if row.campaign else {"submitter": row.submitter_id}
    found: QuerySet[Experiment] = Experiment.objects.filter(
        benchmark=row.benchmark_id, state=ExperimentState.SCORED, **together
    )
    return found


def _attempts(row: Experiment, files: Mapping[str, str]) -> list[Attempt]:
    """Executions by the same account of what may be the same method. Only seeds that this one has not count as seen:
    a submission made again has its seeds again, and with them its score.
    """
    others = Experiment.objects.filter(benchmark=row.benchmark_id, submitter=row.submitter_id, method=row.method_id)
    others = (
        others.exclude(pk=row.pk).select_related("snapshot").defer("snapshot__files").order_by("-id")[:MOST_ATTEMPTS]
    )
    own = likeness_of(row.snapshot) if row.snapshot else options_likeness(row.method.name, row.options)
    seeds = set(row.runs.values_list("seed", flat=True))
    found = []
    for other in others:
        if other.method_digest == row.method_digest:
            same = "digest"
        elif files and other.snapshot is not None and likeness_of(other.snapshot) == own:
            same = "code"
        elif not files and options_likeness(row.method.name, other.options) == own:
            same = "options"
        else:
            continue
        scored = other.runs.filter(state=RunState.SCORED).exclude(seed__in=seeds).count()
        found.append(Attempt(other.pk, same, other.state, scored, other.dev_accuracy))
    return found


def _citations(row: Experiment) -> list[Citation]:
    """Findings of the submitter that cite it."""
    own = FindingExperiment.objects.filter(experiment=row, finding__author=row.submitter_id)
    findings = list(own.order_by("finding_id").values_list("finding_id", flat=True))
    cited: dict[int, set[int]] = {finding: set() for finding in findings}
    links = FindingExperiment.objects.filter(finding__in=findings).values_list("finding_id", "experiment_id")
    for finding, experiment in links:
        cited[finding].add(experiment)
    return [Citation(finding, frozenset(experiments)) for finding, experiments in cited.items()]


def _earlier(row: Experiment) -> list[Earlier]:
    """Code that the team ran before on the benchmark, with its predictions by seed index."""
    before = _team(row).filter(pk__lt=row.pk, method__name=CODE).order_by("-id")[:MOST_EARLIER]
    runs = {run: (experiment, index) for run, experiment, index in _scored_runs([each.pk for each in before])}
    bits = bits_of_runs(runs)
    by_experiment: dict[int, dict[int, Splits]] = {}
    for run, splits in bits.items():
        experiment, index = runs[run]
        by_experiment.setdefault(experiment, {})[index] = splits
    return [
        Earlier(
            each.pk,
            each.submitter_id,
            {index: splits["dev"] for index, splits in by_experiment[each.pk].items()},
            {index: splits["holdout"] for index, splits in by_experiment[each.pk].items()},
        )
        for each in sorted(before, key=lambda each: each.pk)
        if each.pk in by_experiment
    ]


def _scored_runs(experiments: Sequence[int]) -> list[tuple[int, int, int]]:
    rows = Run.objects.filter(experiment__in=experiments, state=RunState.SCORED)
    return list(rows.values_list("pk", "experiment_id", "seed_index"))


def _probes(row: Experiment) -> list[ProbeResult]:
    done = row.probes.filter(state=ProbeState.DONE).order_by("id").values_list("pk", "kind", "numbers")
    return [ProbeResult(pk, kind, numbers) for pk, kind, numbers in done]


def _readings(row: Experiment) -> list[ReadingFacts]:
    ended = Reading.objects.filter(experiment=row, state__in=[ReadingState.DONE, ReadingState.NO_VERDICT])
    return [
        ReadingFacts(
            reading=each.pk,
            model=each.model,
            score=each.score,
            summary=each.summary,
            speaks_to_reader=each.speaks_to_reader,
            evidence=tuple(each.evidence),
            dropped=each.dropped,
            left_out=tuple(each.left_out),
            unreadable=each.unreadable,
            error=each.error,
        )
        for each in ended.order_by("id")
    ]


def _decoys(provenance: Mapping[str, Any]) -> Decoys | None:
    """What the worker wrote down of planted files; None for recipes, which run without a sandbox."""
    told = provenance.get("decoys")
    if not isinstance(told, dict):
        return None
    return Decoys(tuple(told["opened"]), tuple(told["agreement"]), tuple(told["canaries"]))


def _uploads(row: Experiment) -> list[Upload]:
    rows = UploadRow.objects.filter(benchmark=row.benchmark_id, submitter=row.submitter_id, evaluation__isnull=False)
    latest = list(rows.select_related("evaluation").order_by("-id")[:MOST_UPLOADS])
    return [
        Upload(
            upload=each.pk,
            evaluation=each.evaluation.pk,
            submitter=each.submitter_id,
            bits=bits_of_upload(each),
            accuracy=each.evaluation.accuracy,
            told=each.evaluation.reported_pgr,
            agreements=(),
            at=each.created_at,
        )
        for each in reversed(latest)
        if each.evaluation is not None
    ]


def _teachers_hold(benchmark_id: int) -> bool:
    """Whether every teacher's labels have the digest that they froze with."""
    rows = WeakTeacher.objects.filter(benchmark=benchmark_id).values_list("probs", "digest")
    return all(hashlib.sha256(bytes(probs)).hexdigest() == digest for probs, digest in rows)
