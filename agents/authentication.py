"""Bearer tokens: from the Authorization header to a user; refuses what is revoked, expired or out of scope."""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from agents import gate, rest_calls
from agents.credentials import find_bearer
from agents.models import Token

READ, WRITE = "read", "write"
ACCOUNT = "aarweb.account"  # in a request's META: whose token came with it, also where the call is then refused


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer aar_…`"""

    def authenticate(self, request: Request) -> tuple[object, Token] | None:
        """The token's user and the token; None if the header is absent or of another scheme.

        Raises: AuthenticationFailed; Held; PermissionDenied if the method needs a scope that the token lacks, or the
        token is an agent's and the call is none of theirs.
        """
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        if len(parts) != 2:
            raise AuthenticationFailed("expected `Authorization: Bearer TOKEN`")
        bearer = find_bearer(parts[1])
        if bearer is None:
            raise AuthenticationFailed("the token is unknown, revoked or expired")
        token = bearer.token
        request.META[ACCOUNT] = token.user_id
        needed = READ if request.method in SAFE_METHODS else WRITE
        if needed not in token.scopes:
            raise PermissionDenied(f"the token lacks the scope {needed!r}")
        if needed == WRITE and bearer.agent_id is not None:
            gate.check(bearer.agent_id)  # a paused agent reads, and writes nothing, also one that runs elsewhere
            _check_open(request)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Makes DRF answer 401, not 403, to a call without credentials."""
        return "Bearer"


def _check_open(request: Request) -> None:
    """Raises: PermissionDenied. A method that the address does not know stays for DRF to refuse."""
    view = request.parser_context.get("view")
    route = getattr(request, "resolver_match", None)
    known = view is None or hasattr(view, str(request.method).lower())
    if known and not rest_calls.is_open(str(request.method), route.url_name if route else ""):
        raise PermissionDenied("this call is not for agents")
