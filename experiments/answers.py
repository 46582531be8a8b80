"""Answers from workers to waiting web threads, over Redis; the rows stay the truth, an answer may be lost."""

import json
import logging
from typing import Any

import redis

from experiments.live import client

logger = logging.getLogger(__name__)

KEEP_SECONDS = 60  # for whoever asks a little later, such as a repeated call with the same Idempotency-Key


def send(name: str, answer: dict[str, Any]) -> None:
    """Leaves an answer under `name`, for all who wait for it. A Redis that is down is logged, not raised."""
    try:
        with client().pipeline(transaction=False) as pipe:
            pipe.delete(_key(name))
            pipe.rpush(_key(name), json.dumps(answer))
            pipe.expire(_key(name), KEEP_SECONDS)
            pipe.execute()
    except redis.RedisError as error:
        logger.warning("the answer %s could not be sent: %s", name, error)


def wait(name: str, seconds: int) -> dict[str, Any] | None:
    """The answer under `name`, once it is there; None after `seconds`, or if Redis does not answer.

    Blocks the thread. Moving the element onto its own list leaves it there, so several can wait for one answer.
    """
    try:
        found = client().blmove(_key(name), _key(name), seconds, "LEFT", "RIGHT")
    except redis.RedisError as error:
        logger.warning("waiting for the answer %s: %s", name, error)
        return None
    return None if found is None else dict(json.loads(found))


def _key(name: str) -> str:
    return f"aarweb:answer:{name}"
