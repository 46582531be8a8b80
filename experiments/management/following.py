"""What commands share: who acts, waiting with a progress bar, errors as one sentence."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone
from tqdm import tqdm

from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark, WorkerSeen
from experiments.selectors.workers_page import alive_since

if TYPE_CHECKING:
    from django.contrib.auth.models import User

POLL_SECONDS = 0.1  # reading one row; a 20-seed recipe takes about a second
_STALL_SECONDS = 10.0  # after which a queue without a worker is worth a remark


def acting_user(name: str) -> "User":
    """The account of that name; without one, the lab's owner. Raises: CommandError."""
    accounts = get_user_model().objects.filter(is_active=True)
    if name:
        found = accounts.filter(username=name).first()
        if found is None:
            raise CommandError(f"no account {name!r}")
        return found
    owner = accounts.filter(is_superuser=True).order_by("pk").first()
    if owner is None:
        raise CommandError("this lab has no owner yet: start it with `make run`, or name an account with --user")
    return owner


def follow(look: Callable[[], tuple[str, int, int, bool]], *, what: str, queues: tuple[str, ...]) -> None:
    """Show a bar on stderr until the work has ended.

    look: reads the row: stage, units done, units in all, whether it has ended. queues: who works on it, for a remark
    when nobody does. Raises: KeyboardInterrupt, at which the work goes on.
    """
    started, remarked = time.monotonic(), False
    bar: tqdm[Any]
    with tqdm(desc=what, total=1, file=sys.stderr, disable=None, leave=False, mininterval=0.2) as bar:
        while True:
            stage, done, total, ended = look()
            bar.total = max(total, 1)
            bar.n = done
            bar.set_postfix_str(stage, refresh=True)
            if ended:
                return
            if not remarked and not done and time.monotonic() - started > _STALL_SECONDS:
                remarked = True
                _remark(bar, queues)
            connection.close()  # back to the pool while this waits
            time.sleep(POLL_SECONDS)


def look_at_benchmark(slug: str) -> tuple[str, int, int, bool]:
    """Stage, done, total and whether the preparation has ended."""
    row = Benchmark.objects.only("state", "stage", "progress_done", "progress_total").get(slug=slug)
    return row.stage, row.progress_done, row.progress_total, row.state != BenchmarkState.PREPARING


def _remark(bar: "tqdm[Any]", queues: tuple[str, ...]) -> None:
    alive = WorkerSeen.objects.filter(seen_at__gte=alive_since()).values_list("queues", flat=True)
    served = {queue for each in alive for queue in each}
    missing = [queue for queue in queues if queue not in served]
    if missing:
        bar.write(
            f"{timezone.now():%H:%M:%S} no living worker serves {', '.join(missing)}; is the lab running (`make run`)?",
            file=sys.stderr,
        )
