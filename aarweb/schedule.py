"""What beat wakes, how often, and on which queue: everything in the lab that happens by the clock."""

from datetime import timedelta
from typing import Any

from celery.schedules import schedule

HOUR = 3600


def beat_schedule(reaper_seconds: int) -> dict[str, dict[str, Any]]:
    """Entries by task name. Each makes up for lost messages and dead workers, so none needs to be remembered."""
    entries = [
        _every(reaper_seconds, "workers.reap", "default"),
        _every(reaper_seconds, "agents.reap", "default"),
        _every(reaper_seconds, "oversight.reap", "evaluation"),  # beside the inspections that it wakes
        _every(max(reaper_seconds, 15), "notifications.reap", "default"),
        _every(HOUR, "workers.forget", "default"),
    ]
    return {entry["task"]: entry for entry in entries}


def _every(seconds: int, task: str, queue: str) -> dict[str, Any]:
    """A wake-up that nobody took before four more were due is dropped: a worker that comes back meets no heap."""
    options = {"queue": queue, "expires": seconds * 4}
    return {"task": task, "schedule": schedule(timedelta(seconds=seconds)), "options": options}
