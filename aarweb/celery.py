"""The Celery app: queues, beat, and the rule that messages only wake people up (rows are the truth)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aarweb.settings")

app = Celery("aarweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["workers", "agents", "experiments"])
