"""Bearer tokens: from the Authorization header to a user; refuses what is revoked, expired or out of scope."""

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from agents import gate
from agents.models import Agent, Token

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# last_used_at is for people who look for forgotten tokens: a minute's precision saves a write per call
_USE_PRECISION = timedelta(minutes=1)
READ, WRITE = "read", "write"


def digest_of(token: str) -> str:
    """What is stored of a token. SHA-256 suffices: a token is 256 random bits, not a password."""
    return hashlib.sha256(token.encode()).hexdigest()


def find_token(raw: bytes) -> Token | None:
    """The row of a token that may be used, with its user; None if it is unknown, revoked, expired or disabled."""
    token = Token.objects.select_related("user").filter(digest=hashlib.sha256(raw).hexdigest()).first()
    if token is None or not token.usable or not token.user.is_active:
        return None
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - _USE_PRECISION:
        Token.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def refuse_held(user: "User") -> None:
    """A paused agent reads, and writes nothing: that holds an agent outside the lab as well. Raises: Held."""
    agent_id = Agent.objects.filter(user=user).values_list("pk", flat=True).first()
    if agent_id is not None:
        gate.check(agent_id)


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer aar_…`"""

    def authenticate(self, request: Request) -> tuple[object, Token] | None:
        """The token's user and the token; None if the header is absent or of another scheme.

        Raises: AuthenticationFailed; PermissionDenied if the method needs a scope that the token lacks.
        """
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        if len(parts) != 2:
            raise AuthenticationFailed("expected `Authorization: Bearer TOKEN`")
        token = find_token(parts[1])
        if token is None:
            raise AuthenticationFailed("the token is unknown, revoked or expired")
        needed = READ if request.method in SAFE_METHODS else WRITE
        if needed not in token.scopes:
            raise PermissionDenied(f"the token lacks the scope {needed!r}")
        if needed == WRITE:
            refuse_held(token.user)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Makes DRF answer 401, not 403, to a call without credentials."""
        return "Bearer"
