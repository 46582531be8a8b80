"""One client of the Messages API per process, and what its errors mean for whoever called."""

from dataclasses import dataclass
from functools import cache

import anthropic
import httpx2
from django.conf import settings

_AGAIN = {408, 409, 429}
_PASSING = {"overloaded_error", "rate_limit_error", "api_error", "timeout_error"}
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a call failed. again: whether to ask later; after_seconds: what the server asked for.

    status: of the HTTP answer, 0 where none came. free: whether it certainly cost nothing: refused before it began.
    """

    words: str
    again: bool = True
    after_seconds: float | None = None
    status: int = 0
    free: bool = False


@cache
def client() -> anthropic.Anthropic:
    """One pool of connections per process. No retries: the rows keep them."""
    return anthropic.Anthropic(
        api_key=settings.ANTHROPIC_API_KEY or "none",
        base_url=settings.ANTHROPIC_BASE_URL,
        max_retries=0,
        timeout=httpx2.Timeout(settings.CLAUDE_TIMEOUT_SECONDS, connect=10.0),
    )


def trouble_of(error: anthropic.APIError | httpx2.HTTPError) -> Trouble:
    """Whether to ask again, and when: the server's own word comes first."""
    if isinstance(error, httpx2.HTTPError):  # the stream broke in the middle: the SDK lets these through
        return Trouble(f"the stream broke: {type(error).__name__}")
    if isinstance(error, anthropic.APIConnectionError):
        unsent = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)
        return Trouble(f"the model cannot be reached at {settings.ANTHROPIC_BASE_URL}", free=unsent)
    if not isinstance(error, anthropic.APIStatusError):
        return Trouble(f"the answer cannot be read: {error.message}"[:_LONGEST])
    kind, status = _kind(error), error.status_code
    return Trouble(
        f"{kind or type(error).__name__} ({status}): {error.message}"[:_LONGEST],
        again=status >= 500 or status in _AGAIN or kind in _PASSING,
        after_seconds=_retry_after(error),
        status=status,
        free=status >= 400,  # an error in the middle of a stream comes with 200
    )


def _kind(error: anthropic.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("error", body)
    return str(inner.get("type", "")) if isinstance(inner, dict) else ""


def _retry_after(error: anthropic.APIStatusError) -> float | None:
    try:
        return min(max(float(error.response.headers["retry-after"]), 0.0), 3600.0)
    except (KeyError, ValueError):
        return None
