"""A benchmark's way to READY, in three leased steps: its items, its features, its baselines.

Which step is next follows from what the row's provenance already holds; every step is written in one transaction
while the lease is held, so it may be killed and repeated at any moment.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from experiments import dispatch, events
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark, Item
from experiments.services.leases import LeaseLost, lease_end, new_token
from experiments.services.states import move_benchmark

LONGEST_ERROR = 4_000


class Step(StrEnum):
    """What is done next, and by whom: items and baselines need labels (evaluation), features a GPU."""

    ITEMS = "items"
    FEATURES = "features"
    BASELINES = "baselines"


LABELLED_STEPS = frozenset({Step.ITEMS, Step.BASELINES})


@dataclass(frozen=True, slots=True)
class PreparationClaim:
    """One step of one benchmark, held by one worker."""

    token: str
    worker: str
    benchmark_id: int
    slug: str
    step: Step


@dataclass(frozen=True, slots=True)
class NewItem:
    """One item without its label."""

    split: str
    question: str
    responses: list[str]
    group: str


def step_of(benchmark: Benchmark) -> Step:
    """What a benchmark in preparation needs next."""
    if "labels" not in benchmark.provenance:
        return Step.ITEMS
    return Step.BASELINES if "features" in benchmark.provenance else Step.FEATURES


def wake(benchmark: Benchmark) -> None:
    """Tell the queue whose step is next."""
    if step_of(benchmark) in LABELLED_STEPS:
        dispatch.prepare(benchmark.slug)
    else:
        dispatch.extract(benchmark.slug)


@transaction.atomic
def claim_preparation(*, worker: str, slug: str, steps: Collection[Step]) -> PreparationClaim | None:
    """Take the next step of a benchmark, if it is one of `steps` and nobody is at it. Returns: None otherwise."""
    waiting = Benchmark.objects.filter(slug=slug, state=BenchmarkState.PREPARING, lease_until=None)
    row = waiting.select_for_update(skip_locked=True, no_key=True).first()
    if row is None or step_of(row) not in steps:
        return None
    token, now = new_token(worker), timezone.now()
    Benchmark.objects.filter(pk=row.pk).update(
        lease_owner=token, lease_until=lease_end(now), attempt=F("attempt") + 1, stage="", stage_started_at=now
    )
    return PreparationClaim(token, worker, row.pk, row.slug, step_of(row))


def renew_preparation(*, token: str) -> int:
    """Prolong the lease. Returns: 1, or 0 if it is lost."""
    held = Benchmark.objects.filter(lease_owner=token, state=BenchmarkState.PREPARING)
    return held.update(lease_until=lease_end(timezone.now()))


@transaction.atomic
def report_preparation(*, claim: PreparationClaim, stage: str, done: int, total: int) -> None:
    """Say how far the step is; callers see to it that this is at most every two seconds. Raises: LeaseLost."""
    row = _claimed(claim)
    stage = stage[:60]
    fields: dict[str, Any] = {"stage": stage, "progress_done": done, "progress_total": total}
    if stage != row.stage:
        fields["stage_started_at"] = timezone.now()
    Benchmark.objects.filter(pk=row.pk).update(lease_until=lease_end(timezone.now()), **fields)
    payload = {"benchmark": row.slug, "state": row.state, "stage": stage, "done": done, "total": total}
    events.record("benchmark.progress", f"benchmark:{row.slug}", payload=payload)


@transaction.atomic
def finish_items(
    *,
    claim: PreparationClaim,
    kind: str,
    version: str,
    split_rule: str,
    dataset_digest: str,
    items: Iterable[NewItem],
    labels: Mapping[str, str],
) -> None:
    """Replace the benchmark's items. labels: path and digest of the sealed labels. Raises: LeaseLost."""
    row = _claimed(claim)
    row.items.all().delete()
    sizes: dict[str, int] = {}
    new = []
    for each in items:
        position = sizes.get(each.split, 0)
        sizes[each.split] = position + 1
        new.append(
            Item(
                benchmark=row,
                split=each.split,
                position=position,
                question=each.question,
                responses=each.responses,
                group=each.group,
            )
        )
    Item.objects.bulk_create(new, batch_size=2_000)
    _finish(
        row,
        {"dataset": dataset_digest, "labels": dict(labels)},
        kind=kind,
        dataset_version=version,
        split_rule=split_rule,
        sizes=sizes,
    )


@transaction.atomic
def finish_features(*, claim: PreparationClaim, provenance: Mapping[str, Any]) -> None:
    """Features lie in the cache. provenance: digests of weights, tokenizer and features. Raises: LeaseLost."""
    _finish(_claimed(claim), {"features": dict(provenance)})


@transaction.atomic
def finish_baselines(*, claim: PreparationClaim, provenance: Mapping[str, Any]) -> Benchmark:
    """READY: from here on nothing of it changes. The scorer calls this in the transaction that writes the arms."""
    row = _claimed(claim)
    _finish(row, provenance, ready_at=timezone.now())
    move_benchmark(row, BenchmarkState.READY)
    return row


@transaction.atomic
def fail_preparation(*, claim: PreparationClaim, reason: str) -> None:
    """The step cannot succeed: say why. Raises: LeaseLost."""
    move_benchmark(_claimed(claim), BenchmarkState.FAILED, error=reason[-LONGEST_ERROR:], **_NO_LEASE)


@transaction.atomic
def release_preparation(*, claim: PreparationClaim) -> None:
    """Give the step back untried: the worker shuts down, or lets experiments go first. Harmless without the lease."""
    try:
        row = _claimed(claim)
    except LeaseLost:
        return
    Benchmark.objects.filter(pk=row.pk).update(attempt=F("attempt") - 1, **_NO_LEASE)
    wake(row)


_NO_LEASE: dict[str, Any] = {"lease_owner": "", "lease_until": None}


def _claimed(claim: PreparationClaim) -> Benchmark:
    held = Benchmark.objects.filter(pk=claim.benchmark_id, lease_owner=claim.token, state=BenchmarkState.PREPARING)
    row = held.select_for_update(no_key=True).first()
    if row is None:
        raise LeaseLost(f"the preparation of {claim.slug} is no longer held by {claim.worker}")
    return row


def _finish(row: Benchmark, provenance: Mapping[str, Any], **fields: Any) -> None:
    """One step done: the next starts with all its attempts."""
    row.provenance = {**row.provenance, **provenance}
    fresh: dict[str, Any] = {"attempt": 0, "stage": "", "progress_done": 0, "progress_total": 0}
    Benchmark.objects.filter(pk=row.pk).update(provenance=row.provenance, **fresh, **_NO_LEASE, **fields)
    if "baselines" not in row.provenance:
        wake(row)
