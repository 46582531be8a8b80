"""Queues, leases, workers, failures: is the lab at work, and what is in its way?"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from experiments.lifecycle import BenchmarkState, RunState
from experiments.models import Benchmark, Run, WorkerSeen

log = logging.getLogger(__name__)

QUEUES = ("gpu", "evaluation", "default", "agents")
BROKER_TIMEOUT_SECONDS = 0.2  # a page must not wait for a broker that is down
RECENT_FAILURES = 20
FAILED_RUNS_READ = 200
MOST_LEASES = 500
SILENT_LEASES = 3  # a worker that said nothing for so many leases is taken for dead


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on what, since when, and until when the others believe it."""

    what: str
    seeds: list[int]
    kind: str
    key: str
    owner: str
    attempt: int
    since: datetime | None
    until: datetime | None
    expired: bool
    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process and whether it still says that it lives."""

    seen: WorkerSeen
    alive: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Runs of one experiment that failed for the same reason; `run` is the latest of them."""

    run: Run
    seeds: list[int]


@dataclass(frozen=True, slots=True)
class Health:
    """What the dashboard says about the machinery in one line; `queues` is None when the broker does not answer."""

    queues: dict[str, int] | None
    runs_waiting: int
    runs_at_work: int
    alive: int
    known: int


def health() -> Health:
    """Queue depths, runs waiting and at work, workers alive."""
    states = dict(
        Run.objects.filter(state__in=[RunState.QUEUED, RunState.RUNNING, RunState.EVALUATING])
        .values_list("state")
        .annotate(Count("id"))
        .order_by()
    )
    seen = list(WorkerSeen.objects.values_list("seen_at", flat=True))
    since = alive_since()
    return Health(
        queues=queue_depths(),
        runs_waiting=states.get(RunState.QUEUED, 0),
        runs_at_work=states.get(RunState.RUNNING, 0) + states.get(RunState.EVALUATING, 0),
        alive=sum(moment >= since for moment in seen),
        known=len(seen),
    )


def queue_depths() -> dict[str, int] | None:
    """Messages waiting per queue; None when the broker does not answer: rows hold the truth, so pages go on."""
    try:
        pipe = _broker(settings.REDIS_URL).pipeline(transaction=False)
        for queue in QUEUES:
            pipe.llen(queue)
        return dict(zip(QUEUES, pipe.execute(), strict=True))
    except redis.RedisError as error:
        log.warning("the broker does not answer: %s", error)
        return None


@cache
def _broker(url: str) -> redis.Redis:
    """One pool of connections per process, safe between threads; it opens again what a restart has cut."""
    return redis.Redis.from_url(
        url, socket_timeout=BROKER_TIMEOUT_SECONDS, socket_connect_timeout=BROKER_TIMEOUT_SECONDS, retry=None
    )


def workers() -> list[Worker]:
    """Every worker that was ever seen, the living and the latest first."""
    since = alive_since()
    return [Worker(seen, seen.seen_at >= since) for seen in WorkerSeen.objects.order_by("-seen_at")]


def leases() -> list[Lease]:
    """What is being worked on now, the oldest first; seeds that one worker trains together are one line."""
    now = timezone.now()
    runs = (
        Run.objects.filter(state=RunState.RUNNING)
        .select_related("experiment")
        .defer("log", "curves", "experiment__hypothesis", "experiment__provenance", "experiment__search")
        .order_by("started_at", "experiment_id", "seed_index")[:MOST_LEASES]
    )
    together: dict[tuple[int, str, int], list[Run]] = {}
    for run in runs:
        together.setdefault((run.experiment_id, run.lease_owner, run.attempt), []).append(run)
    prepared = Benchmark.objects.filter(state=BenchmarkState.PREPARING)
    return [*(_benchmark_lease(each, now) for each in prepared), *(_run_lease(each, now) for each in together.values())]


def recent_failures() -> list[Failure]:
    """The latest runs that failed, with their reason; seeds of one experiment that share it together."""
    failed = (
        Run.objects.filter(state=RunState.FAILED, finished_at__isnull=False)
        .select_related("experiment__method", "experiment__benchmark")
        .only(
            "seed_index",
            "error",
            "finished_at",
            "worker",
            "attempt",
            "experiment__title",
            "experiment__method__name",
            "experiment__benchmark__slug",
        )
        .order_by("-finished_at")[:FAILED_RUNS_READ]
    )
    alike: dict[tuple[int, str], Failure] = {}
    for run in failed:
        alike.setdefault((run.experiment_id, run.error), Failure(run, [])).seeds.append(run.seed_index)
    return [Failure(each.run, sorted(each.seeds)) for each in alike.values()][:RECENT_FAILURES]


def alive_since() -> datetime:
    """Whoever was seen after this moment is alive."""
    return timezone.now() - timedelta(seconds=SILENT_LEASES * settings.LEASE_SECONDS)


def _benchmark_lease(row: Benchmark, now: datetime) -> Lease:
    return Lease(
        what=row.title,
        seeds=[],
        kind="benchmark",
        key=row.slug,
        since=row.stage_started_at,
        stage=row.stage,
        **_held(row, now),
    )


def _run_lease(rows: list[Run], now: datetime) -> Lease:
    row = rows[0]
    return Lease(
        what=f"#{row.experiment_id} {row.experiment.title}",
        seeds=[each.seed_index for each in rows],
        kind="experiment",
        key=str(row.experiment_id),
        since=row.started_at,
        stage=row.progress_stage,
        **_held(row, now),
    )


def _held(row: Benchmark | Run, now: datetime) -> dict[str, Any]:
    return {
        "owner": row.lease_owner,
        "attempt": row.attempt,
        "until": row.lease_until,
        "expired": row.lease_until is not None and row.lease_until < now,
        "done": row.progress_done,
        "total": row.progress_total,
    }
