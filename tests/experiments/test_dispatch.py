"""tests experiments/dispatch.py: a broker that was emptied, a broker that is away."""

import pytest
import redis
from celery import Celery
from django.conf import settings

from experiments import dispatch
from experiments.models import Experiment
from experiments.selectors.workers_page import _broker, queue_depths
from experiments.services.experiments import submit_experiment
from tests.broker import flush
from tests.factories import make_benchmark, make_method, make_user


@pytest.mark.django_db(transaction=True)
def test_a_message_can_be_sent_right_after_the_broker_was_emptied():
    make_benchmark()
    make_method()
    for _ in range(2):
        flush()
        submit_experiment(user=make_user(), benchmark="geography", method="vanilla", options={}, seeds=1)
        assert queue_depths()["gpu"] == 1


@pytest.mark.django_db(transaction=True)
def test_submitting_while_the_broker_is_away_keeps_the_experiment(monkeypatch, caplog):
    make_benchmark()
    make_method()
    away = Celery("away", set_as_current=False)
    away.config_from_object("django.conf:settings", namespace="CELERY")  # how long it is tried is among them
    away.conf.broker_url = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(dispatch, "current_app", away)
    experiment = submit_experiment(user=make_user(), benchmark="geography", method="vanilla", options={}, seeds=1)
    assert Experiment.objects.get(pk=experiment.pk).state == "queued"
    assert "was not sent, the reaper will" in caplog.text


def test_a_connection_that_a_restart_of_the_broker_has_cut_is_opened_again_at_once():
    number = _broker(settings.REDIS_URL).client_id()
    with redis.Redis.from_url(settings.REDIS_URL) as other:
        other.client_kill_filter(_id=number)
    assert queue_depths() is not None
