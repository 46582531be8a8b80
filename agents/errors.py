"""What can go wrong in this app beside the errors of experiments; free of HTTP."""

from datetime import datetime

from experiments.errors import LabError


class Held(LabError):
    """The agent is paused or its campaign is not running; says by which latch and since when."""

    def __init__(self, message: str, *, latch: str, since: datetime | None) -> None:
        super().__init__(message)
        self.latch, self.since = latch, since


class NoPrice(LabError):
    """A model without a price cannot run under a money budget: nobody could say what it spends."""


class LeaseLost(Exception):
    """The agent is no longer this worker's: its lease ran out, or a person stopped it. Nothing was written."""
