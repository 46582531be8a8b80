"""Registers the app with Django."""

from django.apps import AppConfig


class OversightConfig(AppConfig):
    """See the package's docstring."""

    name = "oversight"
    default_auto_field = "django.db.models.BigAutoField"
