"""Hands agents to the workers by task name; messages only wake people up, rows are the truth."""

import logging
from collections.abc import Iterable
from functools import partial

from celery import current_app
from django.db import transaction
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

STEP, QUEUE = "agents.step", "agents"


def wake(agent_ids: Iterable[int]) -> None:
    """Have a worker look at these agents when the transaction has committed."""
    for agent_id in list(agent_ids):
        transaction.on_commit(partial(_send, agent_id))


def _send(agent_id: int) -> None:
    try:
        current_app.signature(STEP, args=[agent_id]).apply_async(queue=QUEUE, retry=False, ignore_result=True)
    except (KombuError, RedisError, OSError) as error:
        log.warning("agent %s was not woken, the reaper will: %s", agent_id, error)
