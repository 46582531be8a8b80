"""What a worker does when it starts and stops: says who it is, what it carries, and that it lives."""

# ruff: noqa: PLC0415 - torch only where the gpu queue is served, scoring only where the evaluation queue is

import logging
import platform
import signal
import threading
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import Any

from celery.exceptions import WorkerShutdown
from celery.platforms import EX_OK
from celery.signals import worker_ready, worker_shutdown
from django.conf import settings
from django.db import DatabaseError, connection

from experiments import dispatch
from experiments.dispatch import EVALUATION, GPU
from experiments.services.code import SANDBOX, WALLS
from experiments.services.workers import MethodFacts, announce, announce_methods, renew_presence, retire
from workers.identity import set_worker_name, worker_name

log = logging.getLogger(__name__)

_PACKAGES = ("torch", "transformers", "numpy", "scipy", "django", "celery")
RETRY_SECONDS = 2.0  # a database that is not there yet

_stopping = threading.Event()


@worker_ready.connect
def started(sender: Any, **_: object) -> None:
    """Load what this process needs, then announce it from a thread, which waits for a database that is away."""
    if sender.pool.__class__.__module__ == "celery.concurrency.solo":
        signal.signal(signal.SIGTERM, _end_at_once)
    set_worker_name(sender.hostname)
    queues = sorted(sender.app.amqp.queues.consume_from)
    if EVALUATION in queues:
        from experiments.scoring import become_scorer

        become_scorer()
    device, methods, versions = "", None, _versions()
    if GPU in queues:
        from workers import catalogue, training  # noqa: F401 - the first experiment finds everything loaded

        device, methods = catalogue.device(), catalogue.methods()
        versions[SANDBOX] = _walls()
    threading.Thread(target=_live, args=(queues, device, versions, methods), name="presence", daemon=True).start()


def _end_at_once(_number: int, _frame: FrameType | None) -> None:
    """The solo pool trains in the main thread and would end its training first; this unwinds it, giving leases back."""
    raise WorkerShutdown(EX_OK)


@worker_shutdown.connect
def stopped(**_: object) -> None:
    """An orderly end; a killed process is noticed by its silence."""
    _stopping.set()
    try:
        retire(name=worker_name())
    except DatabaseError as error:
        log.warning("%s could not say that it stops: %s", worker_name(), error)


def _live(queues: list[str], device: str, versions: dict[str, str], methods: list[MethodFacts] | None) -> None:
    """Announce this process and say again and again that it lives, also to a database that forgot it."""
    known = False
    try:
        while True:
            try:
                if not (known and renew_presence(name=worker_name())):
                    if methods is not None:
                        announce_methods(methods=methods)
                    announce(name=worker_name(), queues=queues, device=device, versions=versions)
                    dispatch.reap()  # whatever an earlier process left behind is looked after now
                    known = True
            except DatabaseError as error:
                log.warning("%s could not say that it lives: %s", worker_name(), error)
            connection.close()  # back to the pool
            if _stopping.wait(settings.LEASE_SECONDS if known else RETRY_SECONDS):
                return
    finally:
        connection.close()


def _walls() -> str:
    """What sandboxes are made of here, or why none can be made: then code is not announced, and submitters are told."""
    import sandbox

    reason = sandbox.available()
    if reason is not None:
        log.warning("this worker runs recipes only, no code: %s", reason)
    return reason or WALLS


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
