"""What every test may ask for."""

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import OperationalError, connection
from django.db.backends.postgresql.operations import DatabaseOperations
from psycopg.errors import DeadlockDetected

from aarweb.roles import sync_roles
from tests.pages.browsing import chromium, server, surf  # noqa: F401 - fixtures; here, so that all share one server


def pytest_configure():
    """Accounts with passwords in no time: the real hash is slow on purpose."""
    fast = "django.contrib.auth.hashers.MD5PasswordHasher"
    settings.PASSWORD_HASHERS = [fast, *settings.PASSWORD_HASHERS]


@pytest.fixture(autouse=True)
def _empty_cache(request):
    """Counters of one test must not throttle the next; only tests that have a database have a cache."""
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        cache.clear()


@pytest.fixture
def roles(db):
    """The five groups with their permissions."""
    sync_roles()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """pytest-django's, without the guards against TRUNCATE: it empties tables by it after a transactional test."""
    with django_db_blocker.unblock():
        set_truncate_guards("DISABLE")
    # On the class: the loop that a browser keeps in its thread gives the tests beside it another connection object.
    flush = DatabaseOperations.execute_sql_flush
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", flush_again(flush))
        yield


def flush_again(flush):
    """Empties tables as `flush` does, again where a worker or server that outlives the test was busy."""

    def patient(operations, statements):
        for _ in range(10):
            try:
                return flush(operations, statements)
            except OperationalError as error:
                if not isinstance(error.__cause__, DeadlockDetected):
                    raise
        return flush(operations, statements)

    return patient


def rewrite_finished(rows, **fields):
    """What the lab never does and its role cannot: changes rows that the database keeps as they ended."""
    table = rows.model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname ~ '_final_'", [table])
        ((guard,),) = cursor.fetchall()
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
        rows.update(**fields)
        cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")


def set_truncate_guards(verb):
    """verb: ENABLE, ENABLE ALWAYS or DISABLE."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # ALTER TABLE refuses to go before what is deferred
        cursor.execute(
            "SELECT format('ALTER TABLE %%I %%s TRIGGER %%I', relname, %s::text, tgname) FROM pg_trigger"
            " JOIN pg_class ON pg_class.oid = tgrelid WHERE NOT tgisinternal AND tgtype & 32 <> 0",  # 32: TRUNCATE
            [verb],
        )
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)
