"""Answers from workers to waiting web threads, over Redis; the rows stay the truth, an answer may be lost."""

import json
import logging
from typing import Any

import redis

from experiments.live import client

logger = logging.getLogger(__name__)

CALL_MILLISECONDS = 1000  # a call that was lost is repeated after so long, at the latest by the reaper
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


def call_for(name: str, milliseconds: int | None = None) -> bool:
    """Whether to call a worker for `name`: True unless a call is under way that nobody has heard yet.

    Whoever is called hears first, then looks at the rows; so a row that was committed before this is seen.
    milliseconds: how long an unheard call stands, CALL_MILLISECONDS by default.
    """
    try:
        return bool(client().set(_call(name), 1, nx=True, px=milliseconds or CALL_MILLISECONDS))
    except redis.RedisError as error:
        logger.warning("calling for %s: %s", name, error)
        return True


def heard(name: str) -> None:
    """The call for `name` has been heard: what is committed from now on needs another."""
    try:
        client().delete(_call(name))
    except redis.RedisError as error:
        logger.warning("hearing the call for %s: %s", name, error)


def _call(name: str) -> str:
    return f"aarweb:call:{name}"


def _key(name: str) -> str:
    return f"aarweb:answer:{name}"
