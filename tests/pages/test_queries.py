"""Lists ask the database a fixed number of questions, however long they are."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import make_event, make_experiment, make_user

MOST = {
    "/": 32,  # one asks whether anything is hidden that the log says
    "/experiments/": 14,
    "/benchmarks/": 11,
    "/benchmarks/geography/": 20,
    "/leaderboard/": 12,
    "/methods/": 8,
    "/methods/vanilla/": 12,
    "/workers/": 14,
    "/experiments/export.csv": 8,
}


def queries(client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as caught:
        response = client.get(address)
        if response.streaming:
            list(response.streaming_content)
    assert response.status_code == 200
    return len(caught)


@pytest.mark.parametrize("address", MOST)
def test_a_list_asks_no_more_when_it_is_longer(lab, viewer, address):
    before = queries(viewer, address)
    assert before <= MOST[address], before
    for index in range(12):
        row = make_experiment(user=make_user(), state=("scored", "running", "failed", "queued")[index % 4])
        make_event("experiment.submitted", f"experiment:{row.pk}", user=row.submitter, payload={"experiment": row.pk})
    assert queries(viewer, address) <= before


def test_an_experiment_asks_no_more_with_more_seeds(lab, viewer):
    few = make_experiment(user=make_user(), state="scored", seeds=2)
    many = make_experiment(user=make_user(), state="scored", seeds=40)
    assert queries(viewer, f"/experiments/{few.pk}/") == queries(viewer, f"/experiments/{many.pk}/") <= 18
