"""tests experiments/dispatch.py: a broker that was emptied, a broker that is away."""

import pytest
from celery import Celery

from experiments import dispatch
from experiments.models import Experiment
from experiments.selectors.workers_page import queue_depths
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
    away = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    monkeypatch.setattr(dispatch, "current_app", away)
    experiment = submit_experiment(user=make_user(), benchmark="geography", method="vanilla", options={}, seeds=1)
    assert Experiment.objects.get(pk=experiment.pk).state == "queued"
    assert "was not sent, the reaper will" in caplog.text
