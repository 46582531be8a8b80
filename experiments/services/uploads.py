"""Prediction vectors from outside: kept and charged here, scored on the evaluation queue.

The web process holds no label: it writes the row, sends its number, and waits for the answer over Redis.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import connection, transaction

from experiments import answers, dispatch
from experiments.errors import Forbidden, InvalidInput, NotReady, OverBudget, ScorerUnavailable
from experiments.events import LAB
from experiments.guard import Call, guard
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark, Evaluation, Upload
from experiments.permissions import can_upload
from experiments.selectors.api_budgets import upload_budget
from experiments.serializers.evaluations import Evaluation as EvaluationShape

if TYPE_CHECKING:
    from django.contrib.auth.models import User

WAIT_SECONDS = 10  # scoring takes milliseconds; longer means that no evaluation worker is there
SPLIT = "dev"
_LOCK = """
    SELECT id, slug, state, sizes, query_limit, query_window_seconds, set_config('synchronous_commit', 'off', true)
    FROM experiments_benchmark WHERE slug = %s FOR NO KEY UPDATE
"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A kept upload, and what was left of the team's budget after it."""

    upload: int
    queries_left: int


def submit_predictions(*, user: "User", benchmark: str, predictions: Sequence[int]) -> Receipt:
    """Keeps a vector, charges the team's budget for it, and sends it to the scorer.

    benchmark: slug. predictions: 0 or 1 per dev item, in the order of positions.
    Raises: Forbidden; InvalidInput for an unknown benchmark or a wrong length; NotReady; OverBudget.
    """
    if not can_upload(user):
        raise Forbidden("this account may not have predictions scored")
    with transaction.atomic():
        campaign = guard().admit(user, Call("submit_predictions", {"benchmark": benchmark}, cost={"evaluations": 1}))
        found = _lock(benchmark)
        if found is None:
            known = ", ".join(Benchmark.objects.visible_to(user).values_list("slug", flat=True))
            raise InvalidInput(f"unknown benchmark {benchmark!r}; known: {known}", pointer="#/benchmark")
        _check(found, predictions)
        budget = upload_budget(found)
        if budget.left == 0:
            raise OverBudget(
                f"the team has sent {budget.used} uploads to {benchmark!r} within {budget.window_seconds} seconds",
                budget=f"evaluations:{benchmark}",
                limit=budget.limit,
                refills_at=budget.refills_at.isoformat() if budget.refills_at else None,
            )
        packed = np.packbits(np.asarray(predictions, dtype=np.uint8)).tobytes()
        upload = Upload.objects.create(
            benchmark=found,
            submitter=user,
            predictions=packed,
            predictions_digest=hashlib.sha256(packed).hexdigest(),
            n_items=len(predictions),
        )
        if campaign != LAB:
            guard().book_upload(user, upload.pk)
        _wake(found.pk, upload.pk)
    return Receipt(upload.pk, budget.left - 1)


def await_evaluation(upload_id: int, *, seconds: int = WAIT_SECONDS) -> dict[str, Any]:
    """What the submitter is told of an upload, once the worker has scored it: `told_of`.

    Raises: ScorerUnavailable if that takes longer than `seconds`; the upload is scored later all the same.
    """
    give_back_connection()  # so that waiting for a dead worker cannot exhaust the pool
    answer = answers.wait(answer_name(upload_id), seconds)
    if answer is not None:
        return answer
    found = Evaluation.objects.select_related("benchmark", "submitter").filter(upload=upload_id).first()
    if found is None:
        raise ScorerUnavailable(
            f"the scorer did not answer within {seconds} seconds; upload {upload_id} is kept and will be scored",
            upload=upload_id,
        )
    return told_of(found)


def told_of(evaluation: Evaluation) -> dict[str, Any]:
    """What a submitter may know of an evaluation, as the API shows it: the Ladder's answer, never the exact score."""
    return dict(EvaluationShape(evaluation).data)


def answer_name(upload_id: int) -> str:
    """Under which name the worker answers."""
    return f"upload:{upload_id}"


def give_back_connection() -> None:
    """Returns this thread's database connection to the pool; the next query takes one again."""
    if not connection.in_atomic_block:
        connection.close()


def call_name(benchmark_id: int) -> str:
    """Under which name a worker is called for the benchmark's uploads."""
    return f"uploads:{benchmark_id}"


def _wake(benchmark_id: int, upload_id: int) -> None:
    """Calls the scorer once this has committed, unless it is about to come: one message scores all that wait."""
    transaction.on_commit(partial(_call, benchmark_id, upload_id))


def _call(benchmark_id: int, upload_id: int) -> None:
    if answers.call_for(call_name(benchmark_id)):
        dispatch.score_upload(upload_id)


def _lock(slug: str) -> Benchmark | None:
    """The benchmark's row, until the transaction ends: budget decisions come one after the other.

    NO KEY UPDATE lets rows that refer to it be written meanwhile. The commit does not wait for the disk: nothing is
    promised before the worker has committed the evaluation, which does wait, and one log holds both in order.
    """
    rows = Benchmark.objects.raw(_LOCK, [slug])
    return next(iter(rows), None)


def _check(benchmark: Benchmark, predictions: Sequence[int]) -> None:
    if benchmark.state != BenchmarkState.READY:
        raise NotReady(f"{benchmark.slug!r} is {benchmark.state}: predictions can be scored once it is ready")
    expected = benchmark.sizes.get(SPLIT)
    if len(predictions) != expected:
        raise InvalidInput(
            f"expected {expected} predictions, one per dev item in the data endpoint's order; got {len(predictions)}",
            pointer="#/predictions",
        )
