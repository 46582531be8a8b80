"""A value that no lab could have written is refused by file, line and column, and nothing of the archive is kept."""

import json
from typing import Any, get_origin

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import transaction

from experiments.archives.columns import Column, attr_of
from experiments.archives.layout import csv_lines, jsonl_line
from experiments.archives.tables import Table, stranger, tables
from experiments.errors import InvalidInput
from experiments.models import Experiment, Run
from tests.agents.test_archives import _edit, counts, exported, files_of, import_bytes, packed, rows_of
from tests.factories import make_upload_evaluation
from tests.oversight.test_archive import judged_campaign

pytestmark = pytest.mark.django_db
NEVER = "no-such-state"
DEEP: Any = {}
for _ in range(300):
    DEEP = {"a": [DEEP]}


def whole_archive() -> bytes:
    """A row in every table."""
    campaign = judged_campaign()
    agent = campaign.agents.first()
    make_upload_evaluation(benchmark=campaign.benchmarks.get(), user=agent.user)
    scored = Experiment.objects.get(campaign=campaign.pk, state="scored")
    run = scored.runs.first()
    run.evaluations.create(
        benchmark=scored.benchmark, submitter=scored.submitter, split="dev", verified=True, predictions_digest="0",
        n_items=9, accuracy=0.5, scorer_version="1", ground_truth_digest="0",
    )  # fmt: skip
    step = agent.steps.create(number=1, state="done", usage={"input": 3})
    step.actions.create(index=0, call_id="c", tool="shell", arguments={"command": "ls"}, digest="d")
    return exported(campaign.pk, holdout=True)


def choices_of(table: Table, column: Column) -> bool:
    try:
        return bool(getattr(table.model._meta.get_field(attr_of(column)), "choices", None))
    except FieldDoesNotExist:
        return False


def wrong_values(table: Table, column: Column) -> list[Any]:
    """What must not be taken in place of a good value."""
    if column.kind == "json":
        if get_origin(column.form) is list:
            return [{}, "x", 7, ["b\0"], [{"a": "\ud800"}], [{"a": float("nan")}], [DEEP]]
        return [[], "x", 7, {"a": ["b\0"]}, {"a\ud800": 1}, {"a": float("inf")}, DEEP]
    found = {
        "text": [7, ["x"], "x\0", "\ud800"], "int": ["7", 1.5, True, 2**63, -(2**63)], "bool": [1, "true"],
        "float": ["1", float("inf"), 10**400, True], "ref": [0, -1, 2**63, "1", True], "id": [0, 2**63, None],
        "refs": [[0], [1, 1], ["1"], {}, 7], "time": [7, "yesterday", "2026-01-01T00:00:00", "2026-01-01T00:00:00Z",
                                                     "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-10:00"],
    }[column.kind]  # fmt: skip
    field = None if column.kind not in ("text", "int") else _field(table, column)
    if choices_of(table, column) or column.form is not None:
        found = [*found, 99 if column.kind == "int" else NEVER]
    elif column.kind == "text" and field is not None and field.max_length:
        found = [*found, "x" * (field.max_length + 1)]
    elif column.kind == "int" and field is not None and "Big" not in field.get_internal_type():
        found = [*found, 2**40]
    if column.kind == "int" and field is not None and "Positive" in field.get_internal_type():
        found = [*found, -1]
    return found if column.null else [*found, None]


def _field(table: Table, column: Column) -> Any:
    try:
        return table.model._meta.get_field(attr_of(column))
    except FieldDoesNotExist:
        return None


def test_every_json_column_says_what_it_holds():
    for table in tables():
        for column in table.columns:
            assert column.kind != "json" or column.form is not None, f"{table.name}.{column.name}"


def test_every_wrong_value_is_refused_by_place_and_column():
    archive = whole_archive()
    for table in tables():
        rows = rows_of(archive, table.name)
        assert rows, f"{table.name}: nothing to try on"
        for row in rows:
            assert table.checked(row, "here") == row
        row = next((each for each in rows if None not in each.values()), rows[0])
        for column in table.columns:
            for value in wrong_values(table, column):
                try:
                    table.checked({**row, column.name: value}, "tables/x.jsonl, line 3")
                    told = "it was taken"
                except InvalidInput as refused:
                    told = str(refused)
                assert told.startswith(f"tables/x.jsonl, line 3: {column.name}"), (
                    table.name,
                    column.name,
                    repr(value)[:80],
                    told,
                )
                assert len(told) < 400


@pytest.mark.parametrize(
    ("table", "change", "says"),
    [
        ("experiments", {"state": NEVER}, "line 1: state is 'no-such-state', expected one of queued"),
        ("runs", {"state": "claimed"}, "line 1: state is 'claimed'"),
        ("experiments", {"options": []}, "line 1: options: Input should be a valid dictionary"),
        ("experiments", {"provenance": {"a": "x\0y"}}, "line 1: provenance holds a NUL character"),
        ("experiments", {"dev_score": {"low": "x"}}, r"line 1: dev_score\.low: Input should be a valid number"),
        ("experiments", {"dev_score": {"vanilla": 3}}, r"line 1: dev_score\.vanilla: Input should be a valid dict"),
        ("experiments", {"priority": 40_000}, "line 1: priority is out of range: expected -32768 to 32767"),
        ("experiments", {"title": "x" * 201}, "line 1: title has 201 characters, expected at most 200"),
        ("runs", {"curves": [{"name": "loss", "x": [1], "y": []}]}, r"line 1: curves\[0\]: .*1 x and 0 y"),
        ("transcript", {"content": [{"type": "text"}]}, r"line 1: content\[0\]: .*type text without text"),
        ("findings", {"body": "a\u202eb"}, r"line 1: body character 2 is U\+202E"),
        ("findings", {"body": "x" * 30_000}, "line 1: body has 30000 characters"),
        ("findings", {"body": "{{exp:1}}" * 101}, "line 1: body has 101 references"),
        ("findings", {"title": "a\x1bb"}, r"line 1: title character 2 is U\+001B"),
        ("findings", {"title": "two\nlines"}, "line 1: title is not one trimmed line"),
        ("comments", {"body": "a\x07"}, r"line 1: body character 2 is U\+0007"),
        ("people", {"kind": "robot"}, "line 1: kind: Input should be 'agent' or 'person'"),
        ("flags", {"state": "ignored"}, "line 1: state is 'ignored', expected one of open"),
        ("flags", {"evidence": {}}, "line 1: evidence: Input should be a valid list"),
        ("methods", {"options_schema": {"properties": []}}, r"line 1: options_schema\.properties"),
        ("snapshots", {"digest": "../../etc"}, "line 1: digest: String should match pattern"),
    ],
)  # fmt: skip
def test_a_wrong_value_in_an_archive_is_refused_in_words_and_nothing_is_written(table, change, says):
    files = files_of(exported(judged_campaign().pk, holdout=True))
    before = counts()
    _edit(table, lambda rows: rows[0].update(change))(files)
    with pytest.raises(InvalidInput, match=f"tables/{table}.jsonl, {says}"):
        import_bytes(packed(files))
    assert counts() == before


@pytest.mark.django_db(transaction=True)
def test_what_the_database_alone_refuses_is_told_by_line_and_leaves_nothing():
    """A second run of the same seed: each value is good, the row is not."""
    with transaction.atomic():
        campaign = judged_campaign()
    files = files_of(exported(campaign.pk))
    before = counts()
    (table,) = (each for each in tables() if each.name == "runs")
    rows = [json.loads(line) for line in files["tables/runs.jsonl"].splitlines()]
    rows[1]["seed_index"] = rows[0]["seed_index"]
    files["tables/runs.jsonl"] = b"".join(map(jsonl_line, rows))
    files["tables/runs.csv"] = csv_lines(table.columns, rows, head=True)
    with pytest.raises(InvalidInput, match=r"tables/runs\.jsonl, line 2: the database refuses it: .*run_seed_index"):
        import_bytes(packed(files))
    assert counts() == before
    assert not get_user_model().objects.filter(username__contains="@import").exists()
    assert Run.objects.count() == before["Run"]


def test_what_another_lab_knew_is_checked_by_its_manifest():
    facts = {"restored": False, "columns": [{"name": "id", "kind": "id", "to": "", "null": False},
                                            {"name": "said", "kind": "json", "to": "", "null": False}]}  # fmt: skip
    table = stranger("reports", facts)
    assert table.checked({"id": 1, "said": [1, {"a": None}]}, "here")
    for said in ("x\0", [float("inf")], {"\ud800": 1}, DEEP):
        with pytest.raises(InvalidInput, match="here: said "):
            table.checked({"id": 1, "said": said}, "here")
