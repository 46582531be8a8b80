"""What agents wrote and did is kept by the database itself: code, transcripts, notebooks, the log."""

import pgtrigger
import pytest
from django.db import IntegrityError, connection, models, transaction

from agents.models import Entry, Notebook
from experiments.models import Event
from experiments.snapshots.models import Snapshot, SnapshotParent
from tests.agents.test_archives import a_campaign
from tests.conftest import set_truncate_guards

KEPT = {Entry: "role", Notebook: "body", Event: "kind", Snapshot: "digest", SnapshotParent: "id"}


def refused(statement: str) -> None:
    with pytest.raises(IntegrityError, match="is refused"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
def test_no_session_changes_or_removes_a_record() -> None:
    a_campaign()
    set_truncate_guards("ENABLE ALWAYS")
    for kind, column in KEPT.items():
        table = kind._meta.db_table
        statements = (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE")
        for statement in statements:
            refused(statement)
            with pgtrigger.ignore():
                refused(statement)
            refused(f"SET LOCAL session_replication_role = replica; {statement}")


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KEPT, ids=lambda kind: kind.__name__)
def test_every_guard_of_a_record_holds_in_every_session(kind: type[models.Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, tgenabled FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE tgrelid = %s::regclass AND proname = 'lab_refuse' AND tgtype & 32 = 0",  # off in tests: TRUNCATE
            [kind._meta.db_table],
        )
        found = cursor.fetchall()
    assert len(found) == 2
    assert {enabled for _, enabled in found} == {"A"}
