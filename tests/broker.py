"""The broker of the tests."""

import redis
from django.conf import settings


def flush() -> None:
    """FLUSHALL: everything that messages, caches and channels knew is gone."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()
