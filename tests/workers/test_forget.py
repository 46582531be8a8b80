"""tests workers.forget: what nobody will ask for again goes, what somebody may ask for stays."""

from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from experiments.models import IdempotencyRecord
from tests.factories import make_user
from workers.tasks import forget

pytestmark = pytest.mark.django_db


def test_old_answers_and_dead_sessions_go(settings):
    user = make_user()
    now = timezone.now()
    for name, days in (("old", settings.IDEMPOTENCY_DAYS + 1), ("young", settings.IDEMPOTENCY_DAYS - 1)):
        row = IdempotencyRecord.objects.create(user=user, path="/", key=name, body_digest="0" * 64)
        IdempotencyRecord.objects.filter(pk=row.pk).update(created_at=now - timedelta(days=days))
    for expiry in (-1, 3600):
        session = SessionStore()
        session.set_expiry(expiry)
        session["one"] = 1
        session.save()
    forget()
    assert list(IdempotencyRecord.objects.values_list("key", flat=True)) == ["young"]
    assert Session.objects.count() == 1
