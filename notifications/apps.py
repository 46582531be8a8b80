"""Registers the app with Django."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """See the package's docstring."""

    name = "notifications"
    default_auto_field = "django.db.models.BigAutoField"
