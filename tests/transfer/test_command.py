"""tests `manage.py transfer`."""

import json

import pytest
from django.core.management import CommandError, call_command

from experiments.transfer.models import TransferStudy
from tests.transfer.conftest import run_cells

pytestmark = pytest.mark.django_db


def said(capsys, *words) -> str:
    call_command("transfer", *words, "--user", "ada")
    return capsys.readouterr().out


def test_a_plan_is_shown_and_nothing_starts(source, capsys):
    out = said(capsys, "plan", str(source.pk), "--cells", "elements, grammar")
    assert "elements             detects PGR from" in out
    assert not TransferStudy.objects.exists()
    told = json.loads(said(capsys, "plan", str(source.pk), "--cells", "elements", "--json"))
    assert len(told["plan_hash"]) == 64


def test_starting_without_waiting_and_asking_later(source, capsys):
    said(capsys, "start", str(source.pk), "--cells", "elements,grammar", "--no-wait", "--theta-min", "0.1")
    study = TransferStudy.objects.get()
    assert study.theta_min == 0.1
    assert "0 of 2 cells judged" in said(capsys, "status", str(study.pk))
    run_cells(study, (0.85, 0.5))
    out = said(capsys, "status", str(study.pk))
    assert "elements             Transfers" in out
    assert f"/transfer/{study.pk}/" in out
    assert json.loads(said(capsys, "status", str(study.pk), "--json"))["cells"][0]["verdict"] == "transfers"


def test_what_is_wrong_is_one_sentence(source, capsys):
    with pytest.raises(CommandError, match="no evidence of transfer"):
        said(capsys, "start", str(source.pk), "--cells", "geography")
    with pytest.raises(CommandError, match="there is no transfer study 99"):
        said(capsys, "status", "99")
