"""Who opens a WebSocket: a program by its token in the Authorization header, a browser by its session."""

from collections.abc import Awaitable, Callable
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.security.websocket import AllowedHostsOriginValidator
from django.contrib.auth.models import AnonymousUser

from agents.authentication import READ
from agents.credentials import find_bearer

App = Callable[[dict[str, Any], Any, Any], Awaitable[Any]]


class TokenOrSession:
    """ASGI middleware. Sets scope["user"], and scope["still_valid"], which says whether the credential still holds.

    The origin is checked where a browser might be used against its owner: where a cookie identifies. No browser lets
    a page set the Authorization header of a WebSocket, so a token needs no origin; programs send none.
    """

    def __init__(self, inner: App) -> None:
        self._inner = inner
        self._by_session = AllowedHostsOriginValidator(AuthMiddlewareStack(_with_session_check(inner)))

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        """Hands on to the inner application."""
        parts = dict(scope["headers"]).get(b"authorization", b"").split()
        if len(parts) != 2 or parts[0].lower() != b"bearer":
            return await self._by_session(scope, receive, send)
        raw = parts[1]
        user = await database_sync_to_async(_token_user)(raw)
        scope = {**scope, "user": user or AnonymousUser(), "still_valid": lambda: _token_user(raw) is not None}
        return await self._inner(scope, receive, send)


def _token_user(raw: bytes) -> Any:
    bearer = find_bearer(raw)
    return bearer.token.user if bearer is not None and READ in bearer.token.scopes else None


def _with_session_check(inner: App) -> App:
    async def checked(scope: dict[str, Any], receive: Any, send: Any) -> Any:
        session = scope["session"]
        scope = {**scope, "still_valid": lambda: session.exists(session.session_key)}
        return await inner(scope, receive, send)

    return checked
