"""What workers tell about themselves: that they live, what they are doing, which methods they carry."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from experiments.models import Method, WorkerSeen


@dataclass(frozen=True, slots=True)
class MethodFacts:
    """One recipe as its worker knows it; see models.Method."""

    name: str
    title: str
    summary: str
    source: str
    uses: list[str]
    method_class: str
    options_schema: dict[str, Any]
    code_digest: str


def announce(*, name: str, queues: Sequence[str], device: str, versions: dict[str, str]) -> None:
    """A worker process has started; its counts go on from an earlier process of the same name."""
    now = timezone.now()
    fields = {"queues": sorted(queues), "device": device[:120], "versions": versions, "doing": ""}
    WorkerSeen.objects.update_or_create(name=name, defaults={**fields, "started_at": now, "seen_at": now})


def announce_methods(*, methods: Sequence[MethodFacts]) -> None:
    """Write what the workers carry.

    What they no longer carry is switched off and loses its digest, but stays: results refer to it. It comes back
    with its code; a method that somebody switched off stays off.
    """
    with transaction.atomic():
        known = {row.name: row for row in Method.objects.select_for_update(no_key=True).order_by("name")}
        for facts in sorted(methods, key=lambda each: each.name):
            row = known.get(facts.name)
            if row is None:
                Method.objects.update_or_create(name=facts.name, defaults=asdict(facts))
            elif any(getattr(row, name) != value for name, value in asdict(facts).items()):
                enabled = row.enabled or not row.code_digest
                Method.objects.filter(pk=row.pk).update(**asdict(facts), enabled=enabled, updated_at=timezone.now())
        gone = set(known) - {facts.name for facts in methods}
        Method.objects.filter(name__in=gone, enabled=True).update(enabled=False, code_digest="")


def renew_presence(*, name: str, doing: str | None = None) -> bool:
    """The worker still lives. doing: in a few words; None leaves it as it was. Returns: whether it is known at all."""
    fields = {} if doing is None else {"doing": doing[:200]}
    return bool(WorkerSeen.objects.filter(name=name).update(seen_at=timezone.now(), **fields))


def retire(*, name: str) -> None:
    """The worker has shut down in order; its row stays, with what it did."""
    WorkerSeen.objects.filter(name=name).update(doing="shut down")


def count_runs(*, name: str, done: int = 0, failed: int = 0) -> None:
    """Add to what a worker has done."""
    WorkerSeen.objects.filter(name=name).update(runs_done=F("runs_done") + done, runs_failed=F("runs_failed") + failed)
