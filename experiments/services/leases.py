"""Leases: how long a worker is believed without a word, and what it is told when it is not believed any more."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings


class LeaseLost(Exception):
    """The work is no longer this worker's: cancelled, or its lease ran out. Nothing was written."""


def lease_end(now: datetime) -> datetime:
    """Until when others believe a lease that is renewed now."""
    return now + timedelta(seconds=settings.LEASE_SECONDS)


def new_token(worker: str) -> str:
    """The owner of one lease, new for every claim: a worker's own zombie is a stranger to it."""
    return f"{worker[:100]}#{uuid.uuid4().hex[:12]}"
