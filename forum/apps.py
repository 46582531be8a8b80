"""Registers the app with Django."""

import importlib

from django.apps import AppConfig


class ForumConfig(AppConfig):
    """See the package's docstring."""

    name = "forum"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Figures register themselves."""
        importlib.import_module("forum.charts")
