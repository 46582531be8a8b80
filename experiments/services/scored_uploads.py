"""Scores uploaded predictions. Runs on the evaluation queue only: it reaches the scorer, and so the labels."""

from dataclasses import dataclass

import numpy as np
from django.db import transaction

from experiments import answers, dispatch, events, scoring
from experiments.ladder import climb, leaked_bits
from experiments.models import Benchmark, Evaluation, LeakMeter, Upload
from experiments.selectors.api_budgets import dev_ends
from experiments.services.uploads import SPLIT, answer_name, call_name, told_of
from metrics import pgr

BATCH = 32  # uploads of one benchmark scored in one transaction: whoever waits longest waits for this many
INSPECTION_MILLISECONDS = 5_000  # the detectors look at uploads at most so often: they share the scorer's process
_UPLOAD = ("predictions", "predictions_digest", "n_items", "benchmark_id", "evaluation_id", "submitter__username")
_METER = ("queries", "updates", "best_accuracy", "bits", "benchmark__slug", "benchmark__provenance")

_ends: dict[int, tuple[float, float]] = {}  # by benchmark


@dataclass(frozen=True, slots=True)
class _Truth:
    """What a batch is scored against. ends: weak and ceiling accuracy on dev, None before they are frozen."""

    benchmark: Benchmark
    ends: tuple[float, float] | None
    n_items: int
    digest: str


def score_upload(upload_id: int) -> None:
    """Scores an upload and those of its benchmark that wait before it; a repeated message finds nothing to do.

    In the order of arrival, under the lock of the benchmark's meter: the Ladder's answers depend on it.
    """
    scored: list[Upload] = []
    while not scored or scored[-1].pk < upload_id:
        scored = _score_waiting(upload_id)
        for upload in scored:
            if upload.evaluation is not None:
                answers.send(answer_name(upload.pk), told_of(upload.evaluation))
        if not scored:
            return


@transaction.atomic
def _score_waiting(upload_id: int) -> list[Upload]:
    """The next batch of the upload's benchmark, scored; empty if nothing waits."""
    meter = _locked_meter(upload_id)
    benchmark = meter.benchmark
    answers.heard(call_name(benchmark.pk))  # before the rows are read: whoever commits later calls again
    rows = Upload.objects.filter(benchmark=benchmark, evaluation=None).select_related("submitter").order_by("pk")
    waiting = list(rows.only(*_UPLOAD)[:BATCH])
    if not waiting:
        return []
    packed = np.stack([np.frombuffer(upload.predictions, dtype=np.uint8) for upload in waiting])
    bits = np.unpackbits(packed, axis=1, count=waiting[0].n_items)
    accuracies, n_items, digest = scoring.dev_labels_agreement(benchmark, bits)
    truth = _Truth(benchmark, _frozen_ends(benchmark), n_items, digest)
    rises = []
    for upload, accuracy in zip(waiting, accuracies.tolist(), strict=True):
        updates = meter.updates
        upload.evaluation = _evaluation(upload, accuracy, meter, truth)
        rises += [upload] if meter.updates > updates else []
    Evaluation.objects.bulk_create([upload.evaluation for upload in waiting if upload.evaluation])
    if len(waiting) == 1:
        waiting[0].save(update_fields=["evaluation"])
    else:
        Upload.objects.bulk_update(waiting, ["evaluation"])
    meter.save(update_fields=["queries", "updates", "best_accuracy", "bits"])
    for upload in rises:
        _record_rise(upload, benchmark)
    # never heard, so one look in so long, between which nobody waits for the detectors; the clock sees to the last
    if answers.call_for(f"inspection:{benchmark.pk}", INSPECTION_MILLISECONDS):
        dispatch.inspect_uploads(benchmark.pk)
    return waiting


def _locked_meter(upload_id: int) -> LeakMeter:
    """The meter of the upload's benchmark, locked until the transaction ends; made if this is its first upload."""
    rows = LeakMeter.objects.select_for_update(of=("self",)).select_related("benchmark").only(*_METER)
    meter = rows.filter(benchmark__uploads=upload_id).first()
    if meter is None:
        LeakMeter.objects.get_or_create(benchmark=Benchmark.objects.get(uploads=upload_id))
        meter = rows.get(benchmark__uploads=upload_id)
    return meter


def _frozen_ends(benchmark: Benchmark) -> tuple[float, float] | None:
    """Weak and ceiling accuracy on dev, read once per process: the database refuses to change a baseline."""
    if benchmark.pk not in _ends:
        ends = dev_ends(benchmark)
        if ends is None:
            return None
        _ends[benchmark.pk] = ends
    return _ends[benchmark.pk]


def _record_rise(upload: Upload, benchmark: Benchmark) -> None:
    """The Ladder moved: news for everybody, because everybody is told it from now on."""
    told = upload.evaluation.reported_pgr if upload.evaluation else None
    payload = {"benchmark": benchmark.slug, "evaluation": upload.evaluation_id, "dev_pgr": told}
    events.record("evaluation.improved", f"benchmark:{benchmark.slug}", actor=upload.submitter, payload=payload)


def _evaluation(upload: Upload, accuracy: float, meter: LeakMeter, truth: _Truth) -> Evaluation:
    """The row to write for one upload; advances the meter, which the caller saves."""
    before = meter.bits
    rung = climb(meter.best_accuracy, accuracy)
    meter.queries += 1
    meter.updates += rung.moved
    meter.best_accuracy = rung.best
    meter.bits = leaked_bits(meter.queries, meter.updates)
    return Evaluation(
        benchmark=truth.benchmark,
        submitter=upload.submitter,
        split=SPLIT,
        verified=False,
        predictions=upload.predictions,
        predictions_digest=upload.predictions_digest,
        n_items=truth.n_items,
        accuracy=accuracy,
        pgr=pgr(accuracy, *truth.ends) if truth.ends else None,
        reported_pgr=pgr(rung.best, *truth.ends) if truth.ends else None,
        charged_bits=meter.bits - before,
        scorer_version=scoring.SCORER_VERSION,
        ground_truth_digest=truth.digest,
    )
