"""Nothing anybody wrote in the forum can be changed or removed: by no path that ends in the database."""

import pgtrigger
import pytest
from django.db import IntegrityError, connection, models, transaction

from forum.models import Comment, Finding, FindingExperiment, FindingParent, Hide, Pin, Tally, Vote
from forum.services.curation import hide, pin, unhide, unpin
from forum.services.voting import vote
from tests.factories import make_experiment
from tests.forum.rows import make_comment, make_finding, member, refused

pytestmark = pytest.mark.django_db


def execute(sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


@pytest.fixture
def finding() -> Finding:
    """A finding with one of everything that hangs on it."""
    parent = make_finding()
    made = make_finding(experiments=[make_experiment(user=member()).pk], parents=[parent.pk])
    make_comment(made)
    vote(user=member(), finding_id=made.pk, value=1)
    reviewer = member("reviewer")
    hide(user=reviewer, finding_id=made.pk, reason="off topic")
    pin(user=reviewer, finding_id=made.pk)
    return made


WRITTEN = [Finding, FindingExperiment, FindingParent, Comment]
KEPT = [*WRITTEN, Vote, Hide, Pin, Tally]
TEXTS = [
    (Finding, "title"), (Finding, "body"), (Finding, "kind"), (Finding, "author_id"), (Finding, "created_at"),
    (Finding, "campaign"), (Finding, "experiment_count"), (Finding, "parent_count"),
    (Comment, "body"), (Comment, "author_id"), (Comment, "created_at"), (Comment, "finding_id"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "column"), TEXTS, ids=lambda value: getattr(value, "__name__", value))
def test_no_column_can_be_changed_by_sql(finding: Finding, kind: type[models.Model], column: str) -> None:
    with refused():
        execute(f"UPDATE {kind._meta.db_table} SET {column} = {column}")


@pytest.mark.parametrize("kind", WRITTEN)
def test_the_orm_cannot_save_a_written_row_again(finding: Finding, kind: type[models.Model]) -> None:
    with refused():
        kind.objects.first().save()


def test_a_queryset_cannot_update_texts(finding: Finding) -> None:
    with refused():
        Finding.objects.filter(pk=finding.pk).update(body="I always said so")
    with refused():
        Finding.objects.bulk_update([Finding(pk=finding.pk, title="Other")], ["title"])
    with refused():
        Comment.objects.update(body="I never said so")
    finding.refresh_from_db()
    assert finding.body == "Hardening throws away what the teacher was unsure of."


def test_an_upsert_cannot_update_texts(finding: Finding) -> None:
    twin = Finding(pk=finding.pk, kind="result", title="Other", body="Other", author=finding.author)
    with refused():
        Finding.objects.bulk_create([twin], update_conflicts=True, unique_fields=["id"], update_fields=["body"])


@pytest.mark.parametrize("kind", KEPT)
def test_no_row_can_be_deleted_by_sql(finding: Finding, kind: type[models.Model]) -> None:
    with refused():
        execute(f"DELETE FROM {kind._meta.db_table}")


@pytest.mark.parametrize("kind", KEPT)
def test_no_row_can_be_deleted_by_the_orm_without_its_collector(finding: Finding, kind: type[models.Model]) -> None:
    with refused():
        kind.objects.all()._raw_delete("default")


@pytest.mark.parametrize("kind", KEPT)
def test_no_table_can_be_truncated(finding: Finding, kind: type[models.Model], guarded_truncate: None) -> None:
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    with refused():
        execute(f"TRUNCATE {kind._meta.db_table} CASCADE")


def test_deleting_what_a_finding_hangs_on_does_not_reach_it(finding: Finding) -> None:
    for row in (finding, finding.author, Comment.objects.first().author):
        with pytest.raises(models.ProtectedError):
            row.delete()
    # below Django: the foreign keys do not cascade either
    with pytest.raises(IntegrityError), transaction.atomic():
        execute("DELETE FROM auth_user WHERE id = %s", finding.author_id)
        execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_the_setting_that_switches_pgtrigger_off_does_not_switch_these_off(finding: Finding) -> None:
    with pgtrigger.ignore(), refused():
        Finding.objects.update(title="Other")
    with pgtrigger.ignore("forum.Finding:finding_kept"), refused():
        execute("DELETE FROM forum_finding")


@pytest.mark.parametrize("kind", KEPT)
def test_the_setting_that_switches_ordinary_triggers_off_does_not_either(
    finding: Finding, kind: type[models.Model], guarded_truncate: None
) -> None:
    table = kind._meta.db_table
    execute("SET LOCAL session_replication_role = replica")
    with refused():
        execute(f"DELETE FROM {table}")
    with refused():
        execute(f"TRUNCATE {table} CASCADE")
    for name, texts in (("forum_finding", "title"), ("forum_comment", "body")):
        with refused():
            execute(f"UPDATE {name} SET {texts} = 'Other'")


def test_every_guard_holds_in_every_session(db: None) -> None:
    """A guard of a later migration must be made to (see 0005_guards_always); those of TRUNCATE are off in tests."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal"
            " AND proname IN ('forum_refuse', 'forum_links_closed') AND tgenabled <> 'A' AND tgtype & 32 = 0"
        )
        assert cursor.fetchall() == []


def test_a_finding_cites_what_it_cited_when_it_was_posted(finding: Finding) -> None:
    other = make_experiment(user=member())
    with refused():
        finding.experiments.add(other)
    with refused():
        execute("INSERT INTO forum_findingexperiment (finding_id, experiment_id) VALUES (%s, %s)", finding.pk, other.pk)
    with refused():
        FindingParent.objects.create(finding=make_finding(), parent=finding)
    for clear in (finding.experiments.clear, finding.parents.clear):
        with refused():
            clear()


def test_scores_can_only_be_counted_from_votes(finding: Finding) -> None:
    with refused():
        Tally.objects.filter(finding=finding).update(score=1000)
    with refused():
        execute("UPDATE forum_tally SET comments = 0")
    assert Tally.objects.get(finding=finding).score == 1


def test_a_vote_changes_its_value_and_nothing_else(finding: Finding) -> None:
    other = make_finding()
    with refused():
        Vote.objects.update(finding=other)
    with refused():
        Vote.objects.update(user=member())
    Vote.objects.update(value=-1)
    assert Tally.objects.get(finding=finding).score == -1
    with pytest.raises(IntegrityError), transaction.atomic():
        Vote.objects.update(value=2)


def test_a_hide_is_lifted_once_and_its_reason_stays(finding: Finding) -> None:
    with refused():
        Hide.objects.update(reason="something nicer")
    unhide(user=member("reviewer"), finding_id=finding.pk, reason="it was on topic")
    with refused():
        Hide.objects.update(lifted_at=None, lifted_by=None)
    row = Hide.objects.get()
    assert (row.reason, row.lift_reason) == ("off topic", "it was on topic")


def test_a_pin_is_removed_once(finding: Finding) -> None:
    unpin(user=member("reviewer"), finding_id=finding.pk)
    with refused():
        Pin.objects.update(removed_at=None)


def test_descent_has_no_cycles(finding: Finding) -> None:
    newer = make_finding()
    with pytest.raises(IntegrityError, match=r"findingparent_older|is refused"), transaction.atomic():
        FindingParent.objects.create(finding=finding, parent=newer)
