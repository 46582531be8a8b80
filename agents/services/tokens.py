"""Makes and revokes tokens."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from agents.credentials import digest_of
from agents.models import Token
from experiments.errors import InvalidInput

SCOPES = ("read", "write")


@transaction.atomic
def create_token(
    *, name: str, role: str, scopes: Sequence[str] = SCOPES, expires_at: datetime | None = None
) -> tuple[Token, str]:
    """A token for the account `name`, which is created with that role if it does not exist.

    Returns: the row and the token itself, which is shown once and never stored.
    Raises: InvalidInput for an unknown role or scope, a name that no account may have, or one that has another role.
    """
    group = Group.objects.filter(name=role).first()
    if group is None:
        known = ", ".join(Group.objects.order_by("name").values_list("name", flat=True))
        allowed = known or "none yet: `manage.py prepare` makes them"
        raise InvalidInput(f"unknown role {role!r}; allowed: {allowed}", pointer="#/role")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise InvalidInput(f"unknown scope {unknown[0]!r}; allowed: {', '.join(SCOPES)}", pointer="#/scopes")
    if not scopes:
        raise InvalidInput(f"a token needs a scope; allowed: {', '.join(SCOPES)}", pointer="#/scopes")
    return token_for(_account(name, group), name=name, scopes=scopes, expires_at=expires_at)


def token_for(
    user: User, *, name: str = "agent", scopes: Sequence[str] = SCOPES, expires_at: datetime | None = None
) -> tuple[Token, str]:
    """A token for an account that exists. Returns: the row, and the token, which is shown once and never stored."""
    token = f"aar_{secrets.token_urlsafe(32)}"
    row = Token.objects.create(
        name=name, user=user, prefix=token[:10], digest=digest_of(token), scopes=list(scopes), expires_at=expires_at
    )
    return row, token


def revoke_token(*, token_id: int) -> None:
    """Makes a token useless at once; doing it twice is harmless."""
    Token.objects.filter(pk=token_id, revoked_at=None).update(revoked_at=timezone.now())


def _account(name: str, group: Group) -> User:
    try:
        get_user_model()._meta.get_field("username").clean(name, None)
    except ValidationError as error:
        raise InvalidInput(f"the name {name[:40]!r}: {' '.join(error.messages)}", pointer="#/name") from None
    user, created = get_user_model().objects.get_or_create(username=name)
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
        user.groups.set([group])
    elif not user.groups.filter(pk=group.pk).exists():
        roles = ", ".join(user.groups.values_list("name", flat=True)) or "none"
        raise InvalidInput(
            f"the account {name!r} exists with role {roles}; a token does not change roles", pointer="#/role"
        )
    return user
