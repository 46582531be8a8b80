"""Registers the project's own app, and with it the Celery app through which every process sends its wake-ups."""

from django.apps import AppConfig

from aarweb.celery import app as celery_app  # noqa: F401 - being imported makes it the default app


class AarwebConfig(AppConfig):
    """See the package's docstring."""

    name = "aarweb"
