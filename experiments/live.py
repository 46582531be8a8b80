"""Says to whoever watches that a campaign's log has grown; the news itself is in the rows."""

import logging
from functools import cache

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

CHANNEL = "news"  # its messages are campaign numbers
SOCKET_SECONDS = 30  # longer than anybody waits for an answer in one blocking read


def wake(campaign: int) -> None:
    """Wakes viewers up. A Redis that is down is logged, not raised: they look for themselves every few seconds."""
    try:
        client().publish(channel(CHANNEL), campaign)
    except redis.RedisError as error:
        logger.warning("viewers of campaign %s were not woken: %s", campaign, error)


def channel(name: str) -> str:
    """What a channel of this lab is called on its server.

    Labs share a server by the number of their database; keys heed it, channels do not.
    """
    return f"aarweb:{client().connection_pool.connection_kwargs.get('db', 0)}:{name}"


@cache
def client() -> redis.Redis:
    """One pool of connections per process, safe between threads."""
    return redis.Redis.from_url(
        settings.REDIS_URL, health_check_interval=30, socket_connect_timeout=2, socket_timeout=SOCKET_SECONDS
    )
