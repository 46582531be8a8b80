"""How often a password may be wrong: counted per account and address, in the cache."""

import logging
import time
from hashlib import sha256

from django.core.cache import cache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

MOST_FAILURES = 5
WINDOW_SECONDS = 15 * 60  # so at most 480 guesses a day, per account and address


class LoginThrottle:
    """Attempts at one account from one address; the window starts with the first failure."""

    def __init__(self, account: str, address: str) -> None:
        digest = sha256(f"{account.casefold()}\n{address}".encode()).hexdigest()  # names may hold any sign
        self._count, self._until = f"login-failures:{digest}", f"login-until:{digest}"

    def enter(self) -> str:
        """Counts an attempt before it is made, so that many at once are counted too.

        Returns: how long to wait, such as "12 minutes", or "" when the attempt may be made.
        Without a cache nothing can be counted: people still get in, and the log says so.
        """
        try:
            cache.add(self._until, time.time() + WINDOW_SECONDS, WINDOW_SECONDS)
            cache.add(self._count, 0, WINDOW_SECONDS)
            attempts = cache.incr(self._count)
            if attempts <= MOST_FAILURES:
                return ""
            return _words(cache.get(self._until, time.time()) - time.time())
        except (RedisError, ValueError) as error:  # ValueError: it ran out between add and incr
            log.warning("logins are not throttled: %s", error)
            return ""

    def forget(self) -> None:
        """After a right password."""
        try:
            cache.delete_many([self._count, self._until])
        except RedisError as error:
            log.warning("logins are not throttled: %s", error)


def _words(seconds: float) -> str:
    minutes = max(1, -(-int(seconds) // 60))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
