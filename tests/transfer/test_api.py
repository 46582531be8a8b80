"""tests /api/v1/transfer-studies/: the contract, who may, what bad input is answered."""

import pytest

from tests.factories import make_user
from tests.pages.conftest import logged_in
from tests.transfer.conftest import run_cells

pytestmark = pytest.mark.django_db

URL = "/api/v1/transfer-studies/"


@pytest.fixture
def ada(person):
    return logged_in(person)


def body(source, **changes):
    cells = [{"benchmark": "elements"}, {"benchmark": "grammar"}]
    return {"experiment": source.pk, "cells": cells, "theta_min": 0.2, "seeds": 5, **changes}


def post(client, url, data, **headers):
    return client.post(url, data, content_type="application/json", headers=headers)


def test_a_study_is_planned_started_and_read(ada, source):
    preview = post(ada, f"{URL}preview/", body(source))
    assert preview.status_code == 200
    answer = post(ada, URL, body(source))
    assert answer.status_code == 202, answer.content
    told = answer.json()
    assert answer["Location"] == f"{URL}{told['id']}/"
    assert told["plan_hash"] == preview.json()["plan_hash"]
    assert told["state"] == "running"
    assert told["headline"] is None
    assert [cell["benchmark"] for cell in told["cells"]] == ["elements", "grammar"]
    assert all(cell["verdict"] is None and cell["mde"] > 0 for cell in told["cells"])
    assert [cell["mde"] for cell in told["plan"]["cells"]] == [cell["mde"] for cell in told["cells"]]


def test_verdicts_come_with_all_they_rest_on(ada, source, study):
    run_cells(study, (0.85, 0.5))
    told = ada.get(f"{URL}{study.pk}/").json()
    assert told["state"] == "done"
    first, second = told["cells"]
    assert (first["verdict"], second["verdict"]) == ("transfers", "harms")
    assert first["pgr"]["low"] < first["pgr"]["value"] < first["pgr"]["high"]
    assert first["p"] <= first["p_adjusted"] < 0.05 < second["p_adjusted"]
    assert first["says"].startswith("Transfers")
    assert told["headline"]["at_least"] == 1
    board = ada.get("/api/v1/leaderboard/?benchmark=geography&class=weak_to_strong").json()["results"]
    assert [row["transfer"] for row in board if row["experiment"] == source.pk] == [
        {"study": study.pk, "state": "done", "says": told["headline"]["says"]}
    ]


def test_the_same_key_starts_one_study(ada, source):
    first = post(ada, URL, body(source), idempotency_key="a")
    again = post(ada, URL, body(source), idempotency_key="a")
    assert first.json()["id"] == again.json()["id"]
    assert ada.get(URL).json()["results"][0]["id"] == first.json()["id"]
    assert len(ada.get(URL).json()["results"]) == 1
    assert post(ada, URL, body(source, seeds=6), idempotency_key="a").status_code == 409


@pytest.mark.parametrize(
    ("changes", "status", "pointer"),
    [
        ({"cells": []}, 400, "#/cells"),
        ({"cells": [{"benchmark": "geography"}]}, 422, "#/cells/0/benchmark"),
        ({"cells": [{"benchmark": "elements"}, {"benchmark": "no"}]}, 400, "#/cells/1/benchmark"),
        ({"cells": [{"bench": "elements"}]}, 400, "#/cells/0/bench"),
        ({"cells": "elements"}, 400, "#/cells"),
        ({"theta_min": 1}, 400, "#/theta_min"),
        ({"theta_min": "much"}, 400, "#/theta_min"),
        ({"seeds": 2}, 400, "#/seeds"),
        ({"experiment": 999_999}, 400, "#/experiment"),
        ({"alpha": 0.5}, 400, "#/alpha"),
    ],
)
def test_bad_input_is_named(ada, source, changes, status, pointer):
    answer = post(ada, URL, body(source, **changes))
    assert answer.status_code == status, answer.content
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert ada.get(URL).json()["results"] == []


def test_the_list_is_filtered_and_paged(ada, source, study):
    second = post(ada, URL, body(source)).json()["id"]
    page = ada.get(f"{URL}?page_size=1").json()
    assert [each["id"] for each in page["results"]] == [second]
    assert [each["id"] for each in ada.get(page["next"]).json()["results"]] == [study.pk]
    assert len(ada.get(f"{URL}?experiment={source.pk}&method=vanilla&state=running").json()["results"]) == 2
    assert ada.get(f"{URL}?state=done").json()["results"] == []
    assert ada.get(f"{URL}?state=over").status_code == 400


def test_cancelling(ada, study):
    assert post(ada, f"{URL}{study.pk}/cancel/", {}).json()["state"] == "cancelled"
    assert post(ada, f"{URL}{study.pk}/cancel/", {}).status_code == 409
    assert post(ada, f"{URL}999999/cancel/", {}).status_code == 404


def test_agents_and_accounts_without_a_role_learn_nothing(source, study):
    for role, statuses in (("agent", {403}), ("", {403})):
        client = logged_in(make_user(role))
        assert client.get(URL).status_code in statuses
        assert client.get(f"{URL}{study.pk}/").status_code in statuses
        assert post(client, URL, body(source)).status_code in statuses
    viewer = logged_in(make_user("viewer"))
    assert viewer.get(f"{URL}{study.pk}/").status_code == 200
    assert post(viewer, URL, body(source)).status_code == 403
    assert post(viewer, f"{URL}{study.pk}/cancel/", {}).status_code == 403
