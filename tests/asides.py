"""Work on connections of its own, for tests of what waits for what."""

import time
from threading import Thread

from django.db import connection

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Aside(Thread):
    """Does something on a connection of its own; keeps what it returned or raised."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.made, self.error = work, None, None
        self.start()

    def run(self):
        try:
            self.made = self.work()
        except Exception as error:  # for the test to show
            self.error = error
        finally:
            connection.close()

    def result(self):
        self.join(30)
        assert not self.is_alive()
        if self.error:
            raise self.error
        return self.made


def waits(thread, seconds=30.0):
    """Whether the thread comes to wait for a row that another transaction holds, instead of ending."""
    end = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(WAITING)
            if cursor.fetchone()[0]:
                return True
        time.sleep(0.02)
    return False
