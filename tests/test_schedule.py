"""What happens by the clock: all of it in one table, and nothing in it that nobody answers."""

from django.conf import settings

from aarweb.celery import app
from aarweb.schedule import beat_schedule


def test_the_clock_wakes_tasks_that_exist_on_queues_that_exist():
    app.loader.import_default_modules()
    queues = {queue.name for queue in settings.CELERY_TASK_QUEUES}
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["task"] == name and name in app.tasks
        assert entry["options"]["queue"] in queues


def test_every_reaper_is_woken():
    app.loader.import_default_modules()
    reapers = {name for name in app.tasks if name.endswith((".reap", ".forget"))}
    assert set(beat_schedule(5)) == reapers


def test_wake_ups_that_nobody_took_do_not_pile_up():
    for seconds in (1, 3600):
        for entry in beat_schedule(seconds).values():
            assert entry["options"]["expires"] == 4 * entry["schedule"].run_every.total_seconds()
