"""The one-time link that logs the owner in, as a notebook server prints one."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.utils.http import base36_to_int, int_to_base36

OWNER = "owner"


class _LoginLinks(PasswordResetTokenGenerator):
    """Signed over last_login, which the login changes: a link works once, and needs no table."""

    key_salt = "aarweb.login"


_links = _LoginLinks()


@transaction.atomic
def one_time_path() -> str:
    """The path of a link that logs the owner in once; makes the owner (role admin) if there is none."""
    owner, created = get_user_model().objects.get_or_create(
        username=OWNER, defaults={"is_staff": True, "is_superuser": True}
    )
    if created:
        owner.set_unusable_password()
        owner.save(update_fields=["password"])
        owner.groups.set(Group.objects.filter(name="admin"))
    return f"/login/{int_to_base36(owner.pk)}-{_links.make_token(owner)}/"


def user_of(link: str) -> User | None:
    """Whose link it is, if it is genuine, unused and not expired.

    Locks the account until the transaction ends, so that of two visits at once only one finds the link unused.
    """
    head, _, token = link.partition("-")
    try:
        user = get_user_model().objects.select_for_update().filter(pk=base36_to_int(head), is_active=True).first()
    except (ValueError, OverflowError):
        return None
    return user if user is not None and _links.check_token(user, token) else None
