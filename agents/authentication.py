"""Bearer tokens: from the Authorization header to a user; refuses what is revoked or expired."""

import hashlib
from datetime import timedelta

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from agents.models import Token

# last_used_at is for people who look for forgotten tokens: a minute's precision saves a write per call
_USE_PRECISION = timedelta(minutes=1)


def digest_of(token: str) -> str:
    """What is stored of a token. SHA-256 suffices: a token is 256 random bits, not a password."""
    return hashlib.sha256(token.encode()).hexdigest()


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer aar_…`"""

    def authenticate(self, request: Request) -> tuple[object, Token] | None:
        """The token's user and the token; None if the header is absent or of another scheme."""
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        if len(parts) != 2:
            raise AuthenticationFailed("expected `Authorization: Bearer TOKEN`")
        digest = hashlib.sha256(parts[1]).hexdigest()
        token = Token.objects.select_related("user").filter(digest=digest).first()
        if token is None or not token.usable or not token.user.is_active:
            raise AuthenticationFailed("the token is unknown, revoked or expired")
        now = timezone.now()
        if token.last_used_at is None or token.last_used_at < now - _USE_PRECISION:
            Token.objects.filter(pk=token.pk).update(last_used_at=now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Makes DRF answer 401, not 403, to a call without credentials."""
        return "Bearer"
