"""Handing code in and reading it back, against the real database."""

import io

import pytest
from django.db import IntegrityError, connection, transaction

from experiments.errors import Forbidden, InvalidInput, NotFound
from experiments.snapshots import selectors
from experiments.snapshots.archives import write_archive
from experiments.snapshots.models import Snapshot, SnapshotParent
from experiments.snapshots.services import create_snapshot
from tests.factories import make_user

pytestmark = pytest.mark.django_db

FILES = {"method.py": "def fit(context):\n    ...\n", "parts/labels.py": "x = 'ü'\n"}


@pytest.fixture
def agent():
    return make_user("agent")


def test_the_same_content_is_the_same_snapshot_however_it_comes(agent):
    one = create_snapshot(user=agent, files=FILES)
    again = create_snapshot(user=make_user("researcher"), archive=io.BytesIO(write_archive(FILES)))
    assert again.pk == one.pk
    assert again.submitter == agent
    assert (one.n_files, one.size_bytes) == (2, len(FILES["method.py"]) + len(FILES["parts/labels.py"].encode()))
    assert create_snapshot(user=agent, files={**FILES, "x.py": ""}).pk != one.pk


def test_descent_is_kept_from_the_first_time(agent):
    parent = create_snapshot(user=agent, files=FILES)
    other = create_snapshot(user=agent, files={**FILES, "other.py": ""})
    child = create_snapshot(user=agent, files={**FILES, "x.py": ""}, parents=[other.pk, parent.pk, parent.pk])
    create_snapshot(user=agent, files={**FILES, "x.py": ""}, parents=[])
    create_snapshot(user=agent, files=FILES, parents=[child.pk])  # no circle: the row exists
    assert [row.pk for row in selectors.snapshot_detail(child.pk).parents.all()] == [parent.pk, other.pk]
    assert selectors.children_of(parent.pk) == [child.pk]
    assert not selectors.snapshot_detail(parent.pk).parents.exists()


def test_a_role_that_submits_nothing_hands_in_nothing():
    with pytest.raises(Forbidden):
        create_snapshot(user=make_user("viewer"), files=FILES)


@pytest.mark.parametrize("given", [{}, {"files": FILES, "archive": io.BytesIO()}])
def test_exactly_one_form_is_taken(agent, given):
    with pytest.raises(InvalidInput, match="either"):
        create_snapshot(user=agent, **given)


def test_parents_must_exist_and_be_few(agent):
    with pytest.raises(InvalidInput, match="no snapshot 999"):
        create_snapshot(user=agent, files=FILES, parents=[999])
    with pytest.raises(InvalidInput, match="at most 20"):
        create_snapshot(user=agent, files=FILES, parents=range(21))
    assert not Snapshot.objects.exists()


@pytest.mark.parametrize(
    "statement", ["UPDATE experiments_snapshot SET n_files = 9", "DELETE FROM experiments_snapshot"]
)
def test_the_database_itself_refuses_changes(agent, statement):
    create_snapshot(user=agent, files=FILES)
    with (
        pytest.raises(IntegrityError, match="is refused"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_descent_cannot_be_changed_nor_run_in_a_circle(agent):
    parent = create_snapshot(user=agent, files=FILES)
    child = create_snapshot(user=agent, files={**FILES, "x.py": ""}, parents=[parent.pk])
    with pytest.raises(IntegrityError), transaction.atomic():
        SnapshotParent.objects.all().delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        SnapshotParent.objects.create(child=parent, parent=child)


def test_a_file_is_read_alone(agent, django_assert_num_queries):
    snapshot = create_snapshot(user=agent, files={**FILES, "0": "zero", "a.b": "dotted", "empty": ""})
    with django_assert_num_queries(1):
        assert selectors.file_text(snapshot.pk, "parts/labels.py") == "x = 'ü'\n"
    assert selectors.file_text(snapshot.pk, "0") == "zero"
    assert selectors.file_text(snapshot.pk, "a.b") == "dotted"
    assert selectors.file_text(snapshot.pk, "empty") == ""
    for path in ("absent", "1", "parts", "../method.py", "a\0"):
        with pytest.raises(NotFound, match="no file"):
            selectors.file_text(snapshot.pk, path)


def test_what_is_absent_is_said_to_be(agent):
    snapshot = create_snapshot(user=agent, files=FILES)
    for read in (selectors.snapshot_detail, selectors.files_of):
        with pytest.raises(NotFound, match="no snapshot 999"):
            read(999)
    with pytest.raises(NotFound):
        selectors.difference(snapshot.pk, 999)


def test_two_snapshots_are_compared_file_by_file(agent):
    before = create_snapshot(user=agent, files=FILES)
    after = create_snapshot(user=agent, files={"method.py": FILES["method.py"], "parts/labels.py": "x = 'o'\n"})
    (found,) = selectors.difference(before.pk, after.pk)
    assert (found.path, found.change) == ("parts/labels.py", "changed")
    assert "-x = 'ü'\n+x = 'o'\n" in found.unified
    facts = selectors.file_facts(selectors.snapshot_detail(before.pk))
    assert [(fact.path, fact.size_bytes, fact.n_lines) for fact in facts] == [
        ("method.py", 26, 2),
        ("parts/labels.py", 9, 1),
    ]
