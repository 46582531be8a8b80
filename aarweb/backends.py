"""Who may do what, asked of the database once."""

from typing import Any

from django.contrib.auth.backends import ModelBackend

from experiments.grants import granted_to, remember


class OneQueryBackend(ModelBackend):
    """Django's, with one query for all permissions of an ordinary account."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """ "app.codename" of each; kept with the instance, as Django does. Superusers are left to Django."""
        ordinary = user_obj.is_active and not user_obj.is_anonymous and not user_obj.is_superuser
        if obj is None and ordinary and not hasattr(user_obj, "_perm_cache"):
            remember(user_obj, granted_to(user_obj.pk))
        found: set[str] = super().get_all_permissions(user_obj, obj)
        return found
