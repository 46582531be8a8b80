"""Who may do what, asked of the database once."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db import connection

# By hand: Django asks twice, for the account's own and for its groups', and spends longer on building the questions
# than PostgreSQL on answering them. Every page and every call asks.
_PERMISSIONS = """
    SELECT type.app_label || '.' || permission.codename
    FROM auth_permission permission JOIN django_content_type type ON type.id = permission.content_type_id
    WHERE permission.id IN (
        SELECT permission_id FROM auth_user_user_permissions WHERE user_id = %(user)s
        UNION
        SELECT permission_id FROM auth_user_groups JOIN auth_group_permissions USING (group_id)
        WHERE user_id = %(user)s
    )
"""


class OneQueryBackend(ModelBackend):
    """Django's, with one query for all permissions of an ordinary account."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """ "app.codename" of each; kept with the instance, as Django does. Superusers are left to Django."""
        ordinary = user_obj.is_active and not user_obj.is_anonymous and not user_obj.is_superuser
        if obj is None and ordinary and not hasattr(user_obj, "_perm_cache"):
            with connection.cursor() as cursor:
                cursor.execute(_PERMISSIONS, {"user": user_obj.pk})
                user_obj._perm_cache = {name for (name,) in cursor.fetchall()}
        found: set[str] = super().get_all_permissions(user_obj, obj)
        return found
