"""Passes progress of the science on to the rows, and stops the science when its work is lost or its worker ends."""

import logging
import time
from collections.abc import Callable

from celery.worker import state as celery_state
from django.db import DatabaseError, connection

from experiments.heartbeat import Heartbeat
from workers.w2s.spec import Progress

log = logging.getLogger(__name__)


class Reporter:
    """A `Report` for the science: passes progress on at most every `seconds`; stops it when the lease is lost, or when
    the worker is told to end (the solo pool would otherwise finish the training first).

    write: is given the progress; a database that is away is no reason to stop.
    """

    def __init__(self, heartbeat: Heartbeat, write: Callable[[Progress], None], *, seconds: float) -> None:
        self._heartbeat, self._write, self._seconds = heartbeat, write, seconds
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """Raises: LeaseLost, WorkerShutdown."""
        celery_state.maybe_shutdown()
        self._heartbeat.check()
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._seconds
        try:
            self._write(progress)
        except DatabaseError as error:
            log.warning("progress was not written: %s", error)
            connection.close()
