"""Registers the app with Django."""

from django.apps import AppConfig


class ExperimentsConfig(AppConfig):
    """See the package's docstring."""

    name = "experiments"
    default_auto_field = "django.db.models.BigAutoField"
