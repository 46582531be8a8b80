"""What an experiment with code of its own needs: the method row that stands for it, and a benchmark that takes it."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from experiments.errors import InvalidInput, Refused
from experiments.models import Benchmark, Experiment, Method, WorkerSeen
from experiments.options import digest_of
from experiments.snapshots.models import Snapshot
from experiments.snapshots.skeleton import skeleton_of

CODE = "code"  # name of the method row that every experiment with a snapshot has
POINTER = "#/method/snapshot"
SANDBOX = "sandbox"  # among a gpu worker's versions: what its walls are made of, or why it can build none
WALLS = "bubblewrap"


def code_method() -> Method:
    """The row that stands for code. Raises: Refused, saying why code is not run at present."""
    found = Method.objects.filter(name=CODE).first()
    if found is None or not found.code_digest:
        raise Refused(f"code is not run here at present ({_why_not()}); recipes are", pointer=POINTER)
    if not found.enabled:
        raise Refused("running code is switched off; recipes are run", pointer=POINTER)
    return found


def snapshot_row(snapshot_id: int) -> Snapshot:
    """The snapshot without its files. Raises: InvalidInput."""
    found = Snapshot.objects.defer("files").filter(pk=snapshot_id).first()
    if found is None:
        raise InvalidInput(f"there is no snapshot {snapshot_id}", pointer=POINTER)
    return found


def check_takes_code(benchmark: Benchmark) -> None:
    """Raises: Refused for benchmarks whose student is fine-tuned: a sandbox holds no model to tune."""
    if benchmark.student != "probe":
        raise Refused(f"{benchmark.slug} fine-tunes its student; code runs on benchmarks with a probe", pointer=POINTER)


def frozen_digest(method: Method, snapshot: Snapshot | None, options: dict[str, Any]) -> str:
    """What the method is: the snapshot's content, or the recipe's code, and the options."""
    return digest_of(snapshot.digest if snapshot else method.code_digest, options)


def seed_digest(method: Method, snapshot: Snapshot | None, options: dict[str, Any]) -> str:
    """What the seeds derive from: the same, but of a snapshot its skeleton alone, which a comment leaves as it is."""
    return digest_of(skeleton_of(snapshot) if snapshot else method.code_digest, options)


def read_ahead(snapshot_id: int) -> None:
    """Cut the code into tokens, which takes up to a second, before anything is locked; an absent one waits its turn."""
    found = Snapshot.objects.only("digest").filter(pk=snapshot_id).first()
    if found is not None:
        skeleton_of(found)


def snapshot_of(experiment: Experiment) -> Snapshot | None:
    """The code of an experiment, if it has any, without its files."""
    return snapshot_row(experiment.snapshot_id) if experiment.snapshot_id else None


def _why_not() -> str:
    """What the gpu workers that live say about their sandboxes."""
    lately = timezone.now() - 3 * timedelta(seconds=settings.LEASE_SECONDS)
    living = WorkerSeen.objects.filter(queues__contains=["gpu"], seen_at__gte=lately)
    reasons = [row.versions[SANDBOX] for row in living if row.versions.get(SANDBOX, WALLS) != WALLS]
    return next(iter(reasons), "no worker that can build a sandbox has announced itself")
