"""What a call or a seed came to is final: the database refuses to change it, in whatever session."""

import pgtrigger
import pytest
from django.db import IntegrityError, connection, models, transaction

from agents.lifecycle import ACTION_FINAL, ActionState
from agents.models import Action
from experiments.lifecycle import RUN_TERMINAL, RunState
from experiments.models import Run
from tests.agents.conftest import make_campaign, the_agent
from tests.conftest import set_truncate_guards
from tests.factories import make_experiment, make_user

pytestmark = pytest.mark.django_db

RUN_FACTS = {
    "state": "'queued'", "experiment_id": "experiment_id + 1", "seed": "7", "seed_index": "99", "dev_accuracy": "0.99",
    "dev_pgr": "1", "holdout_accuracy": "0.99", "holdout_pgr": "1", "curves": "'[1]'", "log": "'nothing happened'",
    "error": "'none'", "worker": "'another'", "attempt": "9", "started_at": "now()",
    "finished_at": "now() + interval '1 s'", "lease_owner": "'mine'", "lease_until": "now()",
}  # fmt: skip
ACTION_FACTS = {
    "state": "'proposed'", "step_id": "step_id + 1", "index": "99", "tool": "'shell'", "arguments": "'{}'",
    "call_id": "'x'", "digest": "'x'", "result": "'nothing'", "is_error": "NOT is_error", "started_at": "now()",
    "finished_at": "now() + interval '1 s'",
}  # fmt: skip


def make_run(state: str) -> Run:
    experiment = make_experiment(user=make_user())
    return Run.objects.create(experiment=experiment, seed_index=50, seed=1, state=state, log="step 1")


def make_action(state: str) -> Action:
    step = the_agent(make_campaign()).steps.create(number=1)
    return Action.objects.create(step=step, index=0, call_id="c", tool="wait", arguments={"a": 1}, state=state)


def execute(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.rowcount


def refused(statement: str) -> None:
    with pytest.raises(IntegrityError, match="is refused"), transaction.atomic():
        execute(statement)


def check(row: models.Model, facts: dict[str, str]) -> None:
    table = row._meta.db_table
    for column, value in facts.items():
        statement = f'UPDATE {table} SET "{column}" = {value} WHERE id = {row.pk}'
        refused(statement)
        with pgtrigger.ignore():
            refused(statement)
        refused(f"SET LOCAL session_replication_role = replica; {statement}")
    assert execute(f"UPDATE {table} SET state = state WHERE id = {row.pk}") == 1  # nothing is changed


@pytest.mark.parametrize("state", RUN_TERMINAL)
def test_no_fact_of_a_finished_run_changes(state: str) -> None:
    check(make_run(state), RUN_FACTS)


@pytest.mark.parametrize("state", ACTION_FINAL)
def test_no_fact_of_a_finished_call_changes(state: str) -> None:
    check(make_action(state), ACTION_FACTS)


def test_every_column_is_tried() -> None:
    progress = {"progress_stage", "progress_done", "progress_total"}
    for kind, facts in ((Run, {*RUN_FACTS, *progress}), (Action, ACTION_FACTS)):
        assert {each.column for each in kind._meta.concrete_fields} == {"id", *facts}


@pytest.mark.parametrize("state", [each for each in RunState if each not in RUN_TERMINAL])
def test_a_run_that_has_not_ended_keeps_its_seed_and_moves_on(state: str) -> None:
    run = make_run(state)
    for column in ("seed", "seed_index", "experiment_id"):
        refused(f"UPDATE experiments_run SET {column} = {column} + 1 WHERE id = {run.pk}")
    Run.objects.filter(pk=run.pk).update(state=RunState.RUNNING, lease_owner="w", dev_pgr=0.3, log="step 2")
    Run.objects.filter(pk=run.pk).update(state=RunState.SCORED, lease_owner="")
    refused(f"UPDATE experiments_run SET dev_pgr = 0.9 WHERE id = {run.pk}")


@pytest.mark.parametrize("state", [each for each in ActionState if each not in ACTION_FINAL])
def test_a_call_that_waits_or_runs_stays_that_call_and_moves_on(state: str) -> None:
    action = make_action(state)
    for column in ('"index"', "step_id"):
        refused(f"UPDATE agents_action SET {column} = {column} + 1 WHERE id = {action.pk}")
    refused(f"UPDATE agents_action SET tool = 'shell' WHERE id = {action.pk}")
    Action.objects.filter(pk=action.pk).update(arguments={"a": 2}, state=ActionState.RUNNING)
    Action.objects.filter(pk=action.pk).update(state=ActionState.DONE, result="waited")
    refused(f"UPDATE agents_action SET result = 'nothing' WHERE id = {action.pk}")


def test_neither_is_removed() -> None:
    set_truncate_guards("ENABLE ALWAYS")
    for row in (make_run(RunState.QUEUED), make_action(ActionState.PROPOSED)):
        table = row._meta.db_table
        for statement in (f"DELETE FROM {table} WHERE id = {row.pk}", f"TRUNCATE {table} CASCADE"):
            refused(statement)
            with pgtrigger.ignore():
                refused(statement)


@pytest.mark.parametrize("kind", [Run, Action], ids=lambda kind: kind.__name__)
def test_the_guards_hold_in_every_session(kind: type[models.Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgenabled FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE tgrelid = %s::regclass AND proname = 'lab_refuse' AND tgtype & 32 = 0",  # off in tests: TRUNCATE
            [kind._meta.db_table],
        )
        assert [enabled for (enabled,) in cursor.fetchall()] == ["A"] * 3
