"""Tables are emptied after a transactional test though something that outlives the test still reads them."""

import asyncio
import threading

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection, transaction

from tests.factories import make_user


@pytest.mark.django_db(transaction=True)
def test_a_flush_that_meets_a_reader_goes_again(monkeypatch):
    make_user("viewer")
    reading, ended = threading.Event(), []

    def read_slowly():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '1min'")  # so that it is the flush that is given up
            cursor.execute("LOCK TABLE auth_user IN ACCESS SHARE MODE")
            reading.set()
            _wait_until_flushing(cursor)
            cursor.execute("LOCK TABLE auth_group IN ACCESS SHARE MODE")
        ended.append(True)
        connection.close()

    monkeypatch.setattr(connection.ops, "sql_flush", lambda *_, **__: ["TRUNCATE auth_group, auth_user CASCADE"])
    reader = threading.Thread(target=read_slowly)
    reader.start()
    assert reading.wait(60)
    call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)
    reader.join(60)
    assert ended == [True]
    assert not User.objects.exists()
    assert not Group.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_connection_beside_a_loop_flushes_the_same_way(monkeypatch):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

    async def beside_a_loop():
        return connection.ops

    outside = connection.ops
    inside = asyncio.run(beside_a_loop())
    assert inside is not outside
    assert inside.execute_sql_flush.__func__ is outside.execute_sql_flush.__func__
    assert inside.execute_sql_flush.__func__.__module__ == "tests.conftest"


def _wait_until_flushing(cursor) -> None:
    for _ in range(5000):
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'")
        if cursor.fetchone()[0]:
            return
        cursor.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("nothing flushes")
