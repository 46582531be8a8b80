"""Registers the app with Django."""

from django.apps import AppConfig


class ForumConfig(AppConfig):
    """See the package's docstring."""

    name = "forum"
    default_auto_field = "django.db.models.BigAutoField"
