"""tests experiments/heartbeat.py and workers/lease.py."""

import threading

import pytest
from django.db import OperationalError

from experiments.heartbeat import Heartbeat
from experiments.models import WorkerSeen
from experiments.services.leases import LeaseLost
from tests.factories import make_worker
from tests.workers.celery_worker import wait_for
from workers.lease import Reporter
from workers.w2s.spec import Progress

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _short_leases(settings):
    settings.LEASE_SECONDS = 0.15


def test_it_renews_until_the_work_ends_and_says_what_is_done():
    make_worker("gpu@test")
    beats = []
    with Heartbeat(renew=lambda: beats.append(threading.get_ident()) or 2, worker="gpu@test", doing="training"):
        wait_for(lambda: len(beats) > 3)
        assert WorkerSeen.objects.get().doing == "training"
    assert threading.get_ident() not in beats
    assert WorkerSeen.objects.get().doing == ""
    count = len(beats)
    threading.Event().wait(0.2)
    assert len(beats) == count


def test_a_lost_lease_stops_the_science_at_its_next_word():
    written, renewed = [], [1]
    with Heartbeat(renew=lambda: renewed[0], worker="gpu@test") as heartbeat:
        report = Reporter(heartbeat, written.append, seconds=0)
        report(Progress("step", 1, 9))
        renewed[0] = 0
        wait_for(lambda: heartbeat.lost)
        with pytest.raises(LeaseLost):
            report(Progress("step", 2, 9))
    assert [each.done for each in written] == [1]


def test_a_database_that_is_away_for_a_while_is_waited_for():
    answers = iter([OperationalError("gone"), OperationalError("gone"), 2, 2, 2, 2, 2, 2, 2, 2, 2])
    seen = []

    def renew():
        answer = next(answers, 2)
        seen.append(answer)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with Heartbeat(renew=renew, worker="gpu@test") as heartbeat:
        wait_for(lambda: len(seen) > 3)
        assert not heartbeat.lost


def test_progress_is_passed_on_at_most_so_often_and_losing_one_is_no_reason_to_stop():
    written = []

    def write(progress):
        written.append(progress)
        raise OperationalError("gone")

    with Heartbeat(renew=lambda: 1, worker="gpu@test") as heartbeat:
        report = Reporter(heartbeat, write, seconds=60)
        for done in range(100):
            report(Progress("step", done, 100))
    assert [each.done for each in written] == [0]
