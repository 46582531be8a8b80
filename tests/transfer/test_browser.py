"""Transfer studies in a real Chromium: planned, started, and judged before one's eyes."""

import pytest

from experiments.transfer.judging import judge_cell
from experiments.transfer.models import TransferStudy
from tests.labelled import train_by_hand
from tests.transfer.conftest import run_cells

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_study_from_the_experiment_to_its_verdicts(surf, person, source):
    surfer = surf(person)
    page = surfer.open(f"/experiments/{source.pk}/")
    surfer.follow(page.get_by_role("link", name="Does it transfer?"))
    surfer.follow(page.get_by_role("link", name=f"New study of #{source.pk}"))
    page.get_by_label("Cell Elements").check()
    page.get_by_label("Seeds").fill("50")
    with page.expect_response(lambda answer: "seeds=50" in answer.url and "cells=elements" in answer.url):
        page.get_by_role("button", name="Show what these seeds would detect").click()
    page.locator("#study-form:not(.htmx-request)").wait_for()
    assert page.get_by_label("Cell Elements").is_checked()
    assert page.get_by_label("Seeds").input_value() == "50"
    page.get_by_label("Seeds").fill("5")
    surfer.follow(page.get_by_role("button", name="Freeze the plan and start"))
    study = TransferStudy.objects.get()
    assert page.url == f"{surfer.url}/transfer/{study.pk}/"
    surfer.wait_live()
    cell = study.cells.get()
    train_by_hand(cell.experiment, 0.85)
    judge_cell(cell.experiment_id)
    page.get_by_text("Transfers in at least 1 of 1 cells").wait_for()
    page.get_by_text("Transfers: at least").first.wait_for()


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("dark", [False, True])
def test_pages_fit_and_complain_about_nothing(surf, person, source, study, width, dark):
    run_cells(study, (0.85, 0.5))
    surfer = surf(person, width=width, dark=dark)
    for path in ("/transfer/", f"/transfer/{study.pk}/", f"/transfer/new/?experiment={source.pk}"):
        surfer.open(path)
        surfer.draw_figures()
        assert surfer.overflow() <= 0, path
        assert surfer.spilling() == [], path


def test_starting_one_without_scripts(surf, person, source):
    surfer = surf(person, java_script_enabled=False)
    page = surfer.open(f"/transfer/new/?experiment={source.pk}")
    page.get_by_label("Seeds").fill("7")
    page.get_by_label("Cell Grammar").check()
    surfer.follow(page.get_by_role("button", name="Show what these seeds would detect"))
    assert page.get_by_label("Cell Grammar").is_checked()
    assert page.get_by_label("Seeds").input_value() == "7"
    assert "csrf" not in page.url
    surfer.follow(page.get_by_role("button", name="Freeze the plan and start"))
    assert TransferStudy.objects.get().seeds == 7
