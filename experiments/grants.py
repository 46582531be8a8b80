"""An account's permissions in one question to the database.

By hand: Django asks twice, for the account's own and for its groups', and takes longer to build the questions than
PostgreSQL to answer them. Every page and every call asks.
"""

from collections.abc import Iterable
from typing import Any

from django.db import connection

# An expression for the "app.codename" of everything granted to the account that `{user}` names, as text[]
GRANTED = """
    ARRAY(
        SELECT type.app_label || '.' || permission.codename
        FROM auth_permission permission JOIN django_content_type type ON type.id = permission.content_type_id
        WHERE permission.id IN (
            SELECT permission_id FROM auth_user_user_permissions WHERE user_id = {user}
            UNION
            SELECT permission_id FROM auth_user_groups JOIN auth_group_permissions USING (group_id)
            WHERE user_id = {user}
        )
    )
"""


def granted_to(user_id: int) -> list[str]:
    """ "app.codename" of each permission, of the account's own and of its groups."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + GRANTED.format(user="%(user)s"), {"user": user_id})
        found: list[str] = cursor.fetchone()[0]
    return found


def remember(user: Any, names: Iterable[str]) -> None:
    """Lets this instance answer `has_perm` from these. Not for superusers, who are granted more than is written."""
    user._perm_cache = set(names)  # where Django's ModelBackend keeps it
