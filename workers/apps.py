"""Registers the app with Django, for its management commands."""

from django.apps import AppConfig


class WorkersConfig(AppConfig):
    """See the package's docstring."""

    name = "workers"
