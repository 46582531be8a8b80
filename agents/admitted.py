"""Whether what runs now is a tool call that the campaign's policy has let through."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ADMITTED: ContextVar[bool] = ContextVar("admitted", default=False)


@contextmanager
def admitted() -> Iterator[None]:
    """The calls in this block were admitted; services below need not ask the policy again."""
    token = _ADMITTED.set(True)
    try:
        yield
    finally:
        _ADMITTED.reset(token)


def is_admitted() -> bool:
    """Asked where a write begins: REST comes without a tool call."""
    return _ADMITTED.get()
