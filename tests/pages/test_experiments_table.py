"""The experiments table: filters, search, order, pages, export."""

import csv
import io
import re

import pytest

from experiments.selectors.experiment_table import COUNT_LIMIT, PAGE_SIZE
from tests.factories import make_benchmark, make_experiment, make_method, make_user


def ids_on(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'<tr id="experiment-(\d+)"', page)]


def shown(client, query: str = "") -> list[int]:
    response = client.get(f"/experiments/{query}")
    assert response.status_code == 200
    return ids_on(response.content.decode())


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?state=failed", ["failed"]),
        ("?standing=disqualified", ["disqualified"]),
        ("?class=policy_gray", ["gray"]),
        ("?method=zero-shot", ["gray"]),
        ("?benchmark=chat", []),
        ("?submitter=ada&state=running", ["running"]),
        ("?submitter=nobody", []),
        ("?search=scored", ["scored"]),
        ("?search=%22gray+one%22", ["gray"]),
        ("?state=scored&order=-dev_pgr", ["gray", "disqualified", "scored", "other"]),
        ("?state=scored&order=dev_pgr", ["other", "scored", "disqualified", "gray"]),
        ("?state=scored&order=id&standing=counted", ["scored", "other"]),
    ],
)
def test_filters_search_and_order(lab, viewer, query, names):
    assert shown(viewer, query) == [lab[name].pk for name in names]


def test_a_number_finds_its_experiment(lab, viewer):
    assert lab["running"].pk in shown(viewer, f"?search=%23{lab['running'].pk}")


@pytest.mark.parametrize("search", ["99999999999999", "%22", "a%26b", "%27%3B--", "-", "%00"])
def test_any_search_text_is_only_text(lab, viewer, search):
    shown(viewer, f"?search={search}")


def test_a_refused_filter_says_so_beside_it_and_does_not_filter(lab, viewer):
    page = viewer.get("/experiments/?state=flying").content.decode()
    assert "flying is not one of the available choices" in page.split('id="filter_state_error"')[1].split("</span>")[0]
    assert len(ids_on(page)) == len(lab)


def test_nobody_may_sort_by_what_they_may_not_see(lab, blind, viewer):
    assert "holdout" not in blind.get("/experiments/").content.decode().lower()
    assert shown(blind, "?order=-holdout_pgr") == shown(blind)
    assert shown(viewer, "?order=-holdout_pgr&state=scored")


def test_without_a_match_the_page_says_how_to_go_on(lab, viewer):
    page = viewer.get("/experiments/?search=unheard").content.decode()
    assert "No experiment matches." in page
    assert "Clear the filters" in page


def test_an_empty_lab_says_how_to_start(roles, viewer):
    assert "./manage.py experiment run vanilla" in viewer.get("/experiments/").content.decode()


@pytest.fixture
def many(roles):
    user, benchmark, method = make_user(), make_benchmark(items=False), make_method()
    common = {"user": user, "benchmark": benchmark, "method": method, "runs": False}
    return [
        make_experiment(
            state="scored" if index % 3 else "failed", dev=(index % 7) / 10 if index % 3 else None, **common
        )
        for index in range(2 * PAGE_SIZE + 5)
    ]


@pytest.mark.parametrize("order", ["", "id", "-dev_pgr", "dev_pgr", "-worker_seconds"])
def test_pages_follow_each_other_without_a_gap_or_a_repeat(many, viewer, order):
    address, seen, sizes = f"/experiments/?order={order}", [], []
    while address:
        page = viewer.get(address).content.decode()
        seen += ids_on(page)
        sizes.append(len(ids_on(page)))
        link = re.search(r'rel="next" href="([^"]+)"', page)
        address = f"/experiments/{link[1].replace('&amp;', '&')}" if link else ""
    assert sizes == [PAGE_SIZE, PAGE_SIZE, 5]
    assert len(set(seen)) == len(seen) == len(many)
    back = re.search(r'rel="prev" href="([^"]+)"', page)[1].replace("&amp;", "&")
    assert shown(viewer, back) == seen[PAGE_SIZE : 2 * PAGE_SIZE]


def test_filters_stay_on_the_next_page(many, viewer):
    page = viewer.get("/experiments/?state=scored").content.decode()
    link = re.search(r'rel="next" href="([^"]+)"', page)[1].replace("&amp;", "&")
    failed = {each.pk for each in many if each.state == "failed"}
    assert shown(viewer, link)
    assert not failed & set(shown(viewer, link))


def test_a_large_table_is_counted_up_to_a_limit(many, viewer, monkeypatch):
    monkeypatch.setattr("experiments.selectors.experiment_table.COUNT_LIMIT", 60)
    assert "of 60+" in viewer.get("/experiments/").content.decode()
    assert COUNT_LIMIT == 1000


def test_the_csv_holds_all_pages_of_the_filtered_table(many, viewer):
    body = b"".join(viewer.get("/experiments/export.csv?state=scored").streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(body)))
    assert len(rows) == sum(each.state == "scored" for each in many) > PAGE_SIZE
    assert {"dev_pgr", "dev_low", "dev_high", "holdout_pgr"} <= set(rows[0])


def test_a_title_cannot_become_a_formula_of_a_spreadsheet(lab, viewer):
    make_experiment(user=lab["scored"].submitter, title='=HYPERLINK("http://evil")')
    body = b"".join(viewer.get("/experiments/export.csv").streaming_content).decode()
    assert "\"'=HYPERLINK" in body


def test_a_title_is_text_not_markup(lab, viewer):
    row = make_experiment(user=lab["scored"].submitter, title="<script>alert(1)</script>", hypothesis="<img src=x>")
    for address in ("/experiments/", f"/experiments/{row.pk}/", f"/experiments/compare/?ids={row.pk}", "/"):
        page = viewer.get(address).content.decode()
        assert "<script>alert" not in page and "<img src=x>" not in page
