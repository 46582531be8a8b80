"""Wakes up deliveries by task name; a lost message costs time, nothing else."""

import logging

from celery import current_app
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

DELIVER, QUEUE = "notifications.deliver", "default"


def wake(delivery_id: int) -> None:
    """Have a worker try it now."""
    try:
        task = current_app.signature(DELIVER, args=[delivery_id])
        task.apply_async(queue=QUEUE, retry=False, ignore_result=True)
    except (KombuError, RedisError, OSError) as error:
        log.warning("delivery %s was not woken, the reaper will: %s", delivery_id, error)
