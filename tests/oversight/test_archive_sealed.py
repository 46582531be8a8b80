"""Nothing of the holdout, of labels or of what people say about them leaves with an archive that was not asked for it.

Every column that is not on a table's list of what anybody may read is filled with a mark, and the bytes are searched.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, models

from agents.models import Campaign
from experiments import events
from experiments.archives.columns import Column, attr_of
from experiments.archives.tables import Table, tables
from experiments.models import Baseline, Benchmark, Evaluation, Experiment, LeakMeter, Prediction, Run, Upload
from experiments.models import WeakTeacher as Teacher
from experiments.probe_models import Probe
from oversight.archive import TELL_NO_SCORE
from oversight.detectors import DETECTORS
from oversight.models import Flag, Inspection
from tests.agents.test_archives import exported, files_of, import_bytes
from tests.factories import make_upload_evaluation, make_user
from tests.oversight.conftest import raised
from tests.oversight.test_archive import judged_campaign

pytestmark = pytest.mark.django_db
MARK, NUMBER = "planted-by-a-test", 0.7319135791
MARKS = (MARK.encode(), b"7319135791")
SIZES = {"dev": 9, "holdout": 7319135791}
LOOK_ALIKE = {"holdout_pgr": NUMBER, "labels": [MARK], "deep": [{"holdout": {"pgr": NUMBER}, "baselines": MARK}]}


def sealed_columns(table: Table) -> list[Column]:
    return [column for column in table.columns if column.name not in table.told]


def planted(value: Any, field: models.Field) -> Any:
    """A mark that the field takes, in the shape of what it holds."""
    if isinstance(field, models.JSONField):
        if field.name == "sizes":
            return SIZES
        if field.name == "accuracies":
            return [NUMBER]
        return [LOOK_ALIKE | {"detector": "dev-holdout-gap", "text": MARK}] if isinstance(value, list) else LOOK_ALIKE
    if isinstance(field, models.FloatField):
        return NUMBER
    if isinstance(field, models.BinaryField):
        return MARK.encode() * 3
    return MARK


def plant(rows: "models.QuerySet[Any]", *names: str) -> None:
    """Into these columns of these rows, whatever the database would say to that."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # ALTER TABLE refuses to go before what is deferred
        cursor.execute(f"ALTER TABLE {rows.model._meta.db_table} DISABLE TRIGGER USER")
        for row in rows:
            values = {name: planted(getattr(row, name), row._meta.get_field(name)) for name in names}
            rows.model._base_manager.filter(pk=row.pk).update(**values)
        cursor.execute(f"ALTER TABLE {rows.model._meta.db_table} ENABLE TRIGGER USER")


def marked_campaign() -> Campaign:
    """A judged campaign with something in every table, and a mark in every column that is not for anybody."""
    campaign = judged_campaign()
    agent, benchmark = campaign.agents.first(), campaign.benchmarks.get()
    scored = Experiment.objects.get(campaign=campaign.pk, state="scored")
    make_upload_evaluation(benchmark=benchmark, user=agent.user)
    run = scored.runs.first()
    for split in ("dev", "holdout"):
        Evaluation.objects.create(
            benchmark=benchmark, run=run, submitter=agent.user, split=split, verified=True, predictions_digest="0" * 64,
            n_items=9, accuracy=0.5, scorer_version="1", ground_truth_digest=MARK,
        )  # fmt: skip
        Prediction.objects.create(run=run, split=split, probs=b"\0" * 4, digest="0" * 64)
    for name in DETECTORS.names():
        if name not in TELL_NO_SCORE:
            raised(scored, detector=name, level="info", said=f"{name} says {MARK} {NUMBER}")
    raised(scored, detector="person", source="person", level="info", title=f"PGR {MARK}", said=f"it is {NUMBER}")
    raised(scored, detector="replay", level="info", statistic=None, title="Broke", said=f"ValueError: {MARK}")
    Probe.objects.filter(experiment=scored).update(error="x")
    for table in tables():
        plant(
            table.model._base_manager.exclude(detector__in=TELL_NO_SCORE) if table.model is Flag
            else table.base().all(),
            *(attr_of(column) for column in sealed_columns(table)),
        )  # fmt: skip
    plant(Baseline.objects.filter(split="holdout"), "accuracies", "mean", "se", "se_seeds")
    plant(Evaluation.objects.filter(split="holdout"), "accuracy", "pgr", "reported_pgr")
    events.record("x.y", "x:1", campaign=campaign.pk, payload={"unheard of": MARK})
    return campaign


def plant_what_never_leaves() -> None:
    """Columns that no archive holds, whoever asks."""
    plant(Benchmark.objects.all(), "provenance")
    plant(Baseline.objects.all(), "provenance")
    plant(Evaluation.objects.filter(run=None), "accuracy", "predictions")
    plant(Prediction.objects.all(), "probs")
    plant(Upload.objects.all(), "predictions")
    plant(Probe.objects.all(), "predictions", "prior")
    plant(LeakMeter.objects.all(), "best_accuracy")
    plant(Teacher.objects.all(), "probs")


def everything(archive: bytes) -> bytes:
    return b"".join(files_of(archive).values())


def test_every_column_is_for_anybody_or_can_be_blanked():
    for table in tables():
        assert table.told <= {column.name for column in table.columns}, table.name
        for column in sealed_columns(table):
            assert column.null or column.kind in ("text", "json"), f"{table.name}.{column.name} has no blank"


def test_no_table_tells_a_column_of_the_holdout():
    named = {"holdout_accuracy", "holdout_pgr", "holdout_score", "predictions", "numbers", "evidence", "provenance"}
    for table in tables():
        assert not table.told & named, table.name


def test_the_page_names_every_table_what_of_it_is_sealed_and_which_detectors_are_not():
    page = Path("docs/export.md").read_text()
    lines = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("| `")]
    sealed = {name: told for names, _, told in lines for name in re.findall(r"`(\w+)`", names)}
    for table in tables():
        assert table.name in sealed, table.name
        for column in sealed_columns(table):
            assert f"`{column.name}`" in sealed[table.name], f"{table.name}.{column.name}"
    assert f"Detectors that tell no score: {', '.join(sorted(TELL_NO_SCORE))}." in page


def test_no_mark_leaves_with_an_archive_for_anybody():
    campaign = marked_campaign()
    plant_what_never_leaves()
    for role in ("viewer", "researcher", "reviewer", "admin"):
        found = everything(exported(campaign.pk, make_user(role, f"a-{role}")))
        for mark in MARKS:
            at = found.find(mark)
            assert at < 0, found[max(0, at - 300) : at + 100]


def test_the_marks_are_where_the_holdout_is_asked_for():
    campaign = marked_campaign()
    files = files_of(exported(campaign.pk, holdout=True))
    for table in tables():
        names = [column.name for column in sealed_columns(table)]
        found = files[f"tables/{table.name}.jsonl"]
        assert not names or any(mark in found for mark in MARKS), f"{table.name}: nothing was planted in {names}"
    for name in ("baselines", "evaluations"):
        assert MARKS[1] in files[f"tables/{name}.jsonl"]


def test_what_never_leaves_does_not_leave_with_the_holdout_either():
    campaign = judged_campaign()
    make_upload_evaluation(benchmark=campaign.benchmarks.get(), user=campaign.agents.first().user)
    run = Run.objects.filter(experiment__campaign=campaign.pk).first()
    Prediction.objects.create(run=run, split="holdout", probs=b"\0" * 4, digest="0" * 64)
    plant_what_never_leaves()
    found = everything(exported(campaign.pk, holdout=True))
    assert not any(mark in found for mark in MARKS)


def test_an_archive_with_the_holdout_gives_none_without_it_in_the_lab_that_imports():
    campaign = marked_campaign()
    source = import_bytes(exported(campaign.pk, holdout=True))
    found = everything(exported(source.campaign))
    for mark in MARKS:
        at = found.find(mark)
        assert at < 0, found[max(0, at - 300) : at + 100]
    assert any(mark in everything(exported(source.campaign, holdout=True)) for mark in MARKS)


def test_what_a_detector_says_of_code_goes_to_anybody():
    campaign = judged_campaign()
    scored = Experiment.objects.get(campaign=campaign.pk, state="scored")
    raised(scored, detector="static-scan", said="method.py, line 3: os._exit")
    Inspection.objects.update(results=[{"detector": "static-scan", "level": "flag", "q": 0.5, "error": "x"}])
    found = everything(exported(campaign.pk, get_user_model().objects.get(username="owner")))
    assert b"line 3: os._exit" in found and b'{"detector":"static-scan","level":"flag"}' in found
