"""Keeps a lease alive from a thread of its own while the work goes on, and says when it is lost."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from django.conf import settings
from django.db import DatabaseError, connection

from experiments.services.leases import LeaseLost
from experiments.services.workers import renew_presence

log = logging.getLogger(__name__)


class Heartbeat:
    """Renews a lease every third of LEASE_SECONDS until the block ends.

    renew: prolongs the lease and returns how many rows it still holds. A database that is away is waited for: the
    lease may then run out, and the result is refused where it is written.
    doing: what the worker is shown to do meanwhile; None where it does several things at once.
    """

    def __init__(self, *, renew: Callable[[], int], worker: str, doing: str | None = None) -> None:
        self._renew = renew
        self._worker, self._doing = worker, doing
        self._lost = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @property
    def lost(self) -> bool:
        """Whether somebody else has the work now, or nobody should do it any more."""
        return self._lost.is_set()

    def check(self) -> None:
        """Raises: LeaseLost once the lease is lost, so that no more is computed for nobody."""
        if self.lost:
            raise LeaseLost(f"{self._worker} lost its lease")

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            self._tell(self._doing)
            while not self._done.wait(settings.LEASE_SECONDS / 3):
                try:
                    if self._renew() == 0:
                        self._lost.set()
                        break
                except DatabaseError as error:
                    log.warning("%s could not renew its lease: %s", self._worker, error)
                    connection.close()
                self._tell(self._doing)
            self._tell(None if self._doing is None else "")
        finally:
            connection.close()

    def _tell(self, doing: str | None) -> None:
        try:
            renew_presence(name=self._worker, doing=doing)
        except DatabaseError as error:
            log.warning("%s could not say what it does: %s", self._worker, error)
            connection.close()
