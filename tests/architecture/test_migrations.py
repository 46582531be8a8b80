"""Migrations say what the models say."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        call_command("makemigrations", check=True, dry_run=True, verbosity=2)
    except SystemExit:
        pytest.fail("models and migrations differ:\n" + capsys.readouterr().out)


@pytest.mark.django_db
def test_the_test_database_was_made_by_the_migrations() -> None:
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []


def test_migrations_have_names() -> None:
    loader = MigrationLoader(None)
    ours = [name for app, name in loader.disk_migrations if app in ("experiments", "forum", "agents", "oversight")]
    assert ours
    assert not [name for name in ours if "_auto_" in name]
