"""The only code that changes this app's rows."""

from agents.services.tokens import SCOPES, create_token, revoke_token

__all__ = ["SCOPES", "create_token", "revoke_token"]
