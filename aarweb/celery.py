"""The Celery app: queues, beat, and the rule that messages only wake people up (rows are the truth)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aarweb.settings")

app = Celery("aarweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
# for every thread: web threads have no current app of their own, and dispatch sends through it
app.set_default()
app.autodiscover_tasks(["workers", "agents", "experiments", "oversight", "notifications"])
