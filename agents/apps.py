"""Registers the app with Django."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """See the package's docstring."""

    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"
