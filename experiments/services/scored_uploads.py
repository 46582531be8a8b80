"""Scores uploaded predictions. Runs on the evaluation queue only: it reaches the scorer, and so the labels."""

import numpy as np
from django.db import transaction

from experiments import answers, events, scoring
from experiments.ladder import climb, leaked_bits
from experiments.models import Benchmark, Evaluation, LeakMeter, Upload
from experiments.selectors.api_budgets import dev_ends
from experiments.services.uploads import SPLIT, answer_name
from metrics import pgr

BATCH = 32  # uploads of one benchmark scored in one transaction: whoever waits longest waits for this many


def score_upload(upload_id: int) -> None:
    """Scores an upload and those of its benchmark that wait before it; a repeated message finds nothing to do.

    In the order of arrival, under the lock of the benchmark's meter: the Ladder's answers depend on it.
    """
    upload = Upload.objects.select_related("benchmark").get(pk=upload_id)
    scored: list[int] = []
    while upload.evaluation_id is None and upload_id not in scored:
        scored = _score_waiting(upload.benchmark)
        for each in scored:
            answers.send(answer_name(each), {"upload": each})
        if not scored:  # another worker was faster
            upload.refresh_from_db(fields=["evaluation"])


@transaction.atomic
def _score_waiting(benchmark: Benchmark) -> list[int]:
    """The next batch. Returns: ids of the uploads that are scored."""
    LeakMeter.objects.get_or_create(benchmark=benchmark)
    meter = LeakMeter.objects.select_for_update().get(benchmark=benchmark)
    waiting = list(Upload.objects.filter(benchmark=benchmark, evaluation=None).order_by("pk")[:BATCH])
    ends = dev_ends(benchmark)
    for upload in waiting:
        _score(upload, benchmark, meter, ends)
    meter.save()
    return [upload.pk for upload in waiting]


def _score(upload: Upload, benchmark: Benchmark, meter: LeakMeter, ends: tuple[float, float] | None) -> None:
    """One evaluation row; advances the meter, which the caller saves."""
    bits = np.unpackbits(np.frombuffer(upload.predictions, dtype=np.uint8), count=upload.n_items)
    agreement, n_items, digest = scoring.dev_labels_agreement(benchmark, bits)
    best, moved = climb(meter.best_accuracy, agreement)
    before = meter.bits
    meter.queries += 1
    meter.updates += moved
    meter.best_accuracy = best
    meter.bits = leaked_bits(meter.queries, meter.updates)
    told = pgr(best, *ends) if ends else None
    upload.evaluation = Evaluation.objects.create(
        benchmark=benchmark,
        submitter_id=upload.submitter_id,
        split=SPLIT,
        verified=False,
        predictions=upload.predictions,
        predictions_digest=upload.predictions_digest,
        n_items=n_items,
        accuracy=agreement,
        pgr=pgr(agreement, *ends) if ends else None,
        reported_pgr=told,
        charged_bits=meter.bits - before,
        scorer_version=scoring.SCORER_VERSION,
        ground_truth_digest=digest,
    )
    upload.save(update_fields=["evaluation"])
    if moved:
        events.record(
            "evaluation.improved",
            f"benchmark:{benchmark.slug}",
            actor=upload.submitter,
            payload={"benchmark": benchmark.slug, "evaluation": upload.evaluation.pk, "dev_pgr": told},
        )
