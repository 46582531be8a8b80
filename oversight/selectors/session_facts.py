"""From the uploads to a benchmark, and the calls the lab refused, to what detectors are given."""

import numpy as np

from experiments.inspecting import agreements
from experiments.models import Benchmark
from experiments.models import Upload as UploadRow
from oversight.facts import Refusal as RefusalFact
from oversight.facts import SessionFacts, Upload
from oversight.models import Refusal
from oversight.selectors.predictions import bits_of_upload
from oversight.selectors.references import References

MOST_UPLOADS = 400  # a session is the latest so many, of everybody: budgets are the team's
MOST_REFUSALS = 1000


def session_facts(benchmark: Benchmark) -> SessionFacts:
    """The uploads to a benchmark in the order in which they were scored.

    Reaches ground truth through the scorer: evaluation workers only. Raises: GroundTruthError.
    """
    rows = UploadRow.objects.filter(benchmark=benchmark, evaluation__isnull=False).select_related("evaluation")
    latest = [each for each in rows.order_by("-id")[:MOST_UPLOADS] if each.evaluation is not None][::-1]
    bits = [bits_of_upload(each) for each in latest]
    vectors = np.stack(bits) if bits else np.zeros((0, 0), dtype=np.bool_)
    near = References(benchmark).agreements(vectors) if bits else np.zeros((0, 0))
    shares = np.concatenate([agreements(benchmark, vectors), near], axis=1) if bits else near
    return SessionFacts(
        benchmark=benchmark.slug,
        uploads=tuple(
            Upload(
                upload=each.pk,
                evaluation=each.evaluation.pk,
                submitter=each.submitter_id,
                bits=vector,
                accuracy=each.evaluation.accuracy,
                told=each.evaluation.reported_pgr,
                agreements=tuple(row.tolist()),
                at=each.created_at,
            )
            for each, vector, row in zip(latest, bits, shares, strict=True)
            if each.evaluation is not None
        ),
    )


def refused_calls() -> SessionFacts:
    """Calls that the lab refused, of all accounts, the latest so many."""
    rows = Refusal.objects.order_by("-id")[:MOST_REFUSALS]
    return SessionFacts(
        benchmark="",
        uploads=(),
        refusals=tuple(RefusalFact(row.pk, row.account_id, row.what, row.path) for row in reversed(rows)),
    )
