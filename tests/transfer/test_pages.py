"""tests the pages of transfer studies: what is shown to whom, and starting one by hand."""

import hashlib

import pytest

from experiments.models import Benchmark
from experiments.transfer.models import TransferStudy
from experiments.transfer.services import start_study
from tests.factories import make_benchmark, make_user
from tests.pages.conftest import logged_in
from tests.transfer.conftest import run_cells

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(person):
    return logged_in(person)


def text_of(answer) -> str:
    return answer.content.decode()


def test_an_empty_lab_says_what_to_do(ada):
    page = text_of(ada.get("/transfer/"))
    assert "No study yet" in page
    assert "manage.py transfer start" in page


def test_the_new_page_without_an_experiment_asks_for_one(ada):
    assert "The number of a scored experiment" in text_of(ada.get("/transfer/new/"))
    assert "there is no experiment 77" in text_of(ada.get("/transfer/new/?experiment=77"))
    assert "there is no experiment x" in text_of(ada.get("/transfer/new/?experiment=x"))


def test_the_new_page_shows_what_each_cell_would_detect_before_anything_starts(ada, source):
    make_benchmark("latitude", state="preparing", stage="features")
    few, many = (text_of(ada.get(f"/transfer/new/?experiment={source.pk}&seeds={seeds}")) for seeds in (3, 50))
    for page in (few, many):
        assert 'name="cells" value="elements"' in page
        assert 'value="geography"' not in page
        assert "latitude is being prepared" in page
    assert few != many
    assert not TransferStudy.objects.exists()


def test_the_button_for_other_seeds_keeps_what_was_ticked(ada, source):
    page = text_of(
        ada.get(f"/transfer/new/?experiment={source.pk}&seeds=7&cells=grammar", headers={"hx-request": "true"})
    )
    assert page.lstrip().startswith("<form")
    assert 'value="grammar" aria-label="Cell Grammar" checked' in page
    assert 'value="7"' in page


def test_a_study_by_hand(ada, source):
    given = {"experiment": source.pk, "seeds": "5", "theta_min": "0.3", "cells": ["elements", "grammar"]}
    answer = ada.post("/transfer/new/", given)
    study = TransferStudy.objects.get()
    assert answer["Location"] == f"/transfer/{study.pk}/"
    assert (study.theta_min, study.seeds, study.cells.count()) == (0.3, 5, 2)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cells": []}, "0 cells: expected 1 to"),
        ({"seeds": "2"}, "greater than or equal to 3"),
        ({"theta_min": "1"}, "less than or equal to 0.99"),
        ({"theta_min": ""}, "required"),
        ({"cells": ["geography"]}, "no evidence of transfer"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_starts(ada, source, changes, says):
    given = {"experiment": source.pk, "seeds": "5", "theta_min": "0.2", "cells": ["elements"], **changes}
    answer = ada.post("/transfer/new/", given)
    assert answer.status_code == 422
    assert says in text_of(answer)
    assert not TransferStudy.objects.exists()


def test_a_study_shows_verdicts_plan_and_headline(ada, source, study):
    waiting = text_of(ada.get(f"/transfer/{study.pk}/"))
    assert "cells judged" in waiting
    assert study.plan_hash in waiting
    run_cells(study, (0.85, 0.5))
    page = text_of(ada.get(f"/transfer/{study.pk}/"))
    assert "Transfers: at least" in page
    assert "Harms" in page
    assert "1 of 2" in page
    listed = text_of(ada.get("/transfer/"))
    assert 'class="verdict-transfers"' in listed
    assert 'class="verdict-harms"' in listed
    assert f"/transfer/{study.pk}/" in listed
    assert "1 of 2" in text_of(ada.get("/leaderboard/?benchmark=geography"))
    assert f"/transfer/?experiment={source.pk}" in text_of(ada.get(f"/experiments/{source.pk}/"))


def test_the_plan_can_be_hashed_by_anybody(ada, study):
    answer = ada.get(f"/transfer/{study.pk}/plan.json")
    assert hashlib.sha256(answer.content).hexdigest() == study.plan_hash


def test_the_figures_have_a_row_per_cell(ada, study):
    run_cells(study, (0.85, 0.5))
    cells = ada.get(f"/charts/transfer-cells/?study={study.pk}").json()
    assert cells["data"]
    assert ada.get("/charts/transfer-cells/?study=99999").status_code == 404
    assert ada.get("/charts/transfer-cells/?study=x").status_code == 404
    lines = b"".join(ada.get(f"/charts/transfer-cells.csv?study={study.pk}").streaming_content).decode().splitlines()
    assert len(lines) == 3


def test_cancelling_by_hand(ada, study):
    page = text_of(ada.post(f"/transfer/{study.pk}/cancel/", follow=True))
    assert "Cancelled. Verdicts that were reached stay" in page
    assert "cannot be cancelled" in text_of(ada.post(f"/transfer/{study.pk}/cancel/", follow=True))


def test_whoever_may_not_see_the_holdout_sees_no_study(study, source, blind_client, viewer_client):
    for address in ("/transfer/", f"/transfer/{study.pk}/", f"/transfer/{study.pk}/plan.json", "/transfer/new/"):
        assert blind_client.get(address).status_code == 403
    assert blind_client.get(f"/charts/transfer-cells/?study={study.pk}").status_code == 403
    assert 'href="/transfer/"' not in text_of(blind_client.get("/"))
    assert "Does it transfer?" not in text_of(blind_client.get(f"/experiments/{source.pk}/"))
    assert viewer_client.get(f"/transfer/{study.pk}/").status_code == 200
    assert viewer_client.get(f"/transfer/new/?experiment={source.pk}").status_code == 403
    assert viewer_client.post(f"/transfer/{study.pk}/cancel/").status_code == 403


def test_more_studies_cost_no_more_queries(ada, person, source, study, django_assert_max_num_queries):

    ada.get("/transfer/")
    for _ in range(5):
        start_study(user=person, experiment=source.pk, benchmarks=["elements", "grammar"])
    with django_assert_max_num_queries(16):
        ada.get("/transfer/")
    assert Benchmark.objects.count() == 3


@pytest.fixture
def blind_client(db):
    from django.contrib.auth.models import Permission

    user = make_user("", name="blind")
    user.user_permissions.add(Permission.objects.get(codename="view_lab"))
    return logged_in(user)


@pytest.fixture
def viewer_client(db):
    return logged_in(make_user("viewer"))
