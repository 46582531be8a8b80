"""The broker of the tests."""

import redis
from django.conf import settings


def flush() -> None:
    """FLUSHDB: all that messages, caches and channels knew is gone. Tests beside have databases of their own."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
