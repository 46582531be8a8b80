"""Who may see pages, and what nobody may see."""

import pytest

from tests.factories import make_user
from tests.pages.conftest import FRAGMENTS, SECRET, addresses, logged_in

HTMX = {"HX-Request": "true"}


def body_of(response) -> str:
    return (b"".join(response.streaming_content) if response.streaming else response.content).decode()


def test_every_page_answers_a_viewer(lab, viewer):
    for address in addresses(lab):
        response = viewer.get(address)
        assert response.status_code == 200, address


def test_every_fragment_answers_htmx_with_a_part_of_the_page(lab, viewer):
    for address in [
        *FRAGMENTS,
        *(f"/experiments/{lab['running'].pk}/?part={part}" for part in ("score", "runs", "actions")),
    ]:
        response = viewer.get(address, headers=HTMX)
        assert response.status_code == 200, address
        assert "<html" not in body_of(response)
        assert response["Cache-Control"] == "no-store"


def test_a_visitor_is_asked_to_log_in_and_comes_back(client, lab):
    for address in addresses(lab):
        response = client.get(address)
        assert response.status_code == 302
        assert response["Location"].startswith("/login/?next=/"), address


def test_a_fragment_for_a_visitor_is_refused_instead_of_redirected(client, lab):
    response = client.get("/experiments/", headers=HTMX)
    assert response.status_code == 401


def test_agents_have_no_pages(lab, agent):
    for address in addresses(lab):
        assert agent.get(address).status_code == 403, address


def test_an_account_without_a_role_is_refused_in_words(lab):
    response = logged_in(make_user("")).get("/")
    assert response.status_code == 403
    assert "Not allowed" in body_of(response)


def test_the_holdout_is_nowhere_for_who_may_not_see_it(lab, blind):
    digits = [f"{SECRET:.{places}f}"[2:] for places in (3, 4, 5)]
    accuracy = f"{0.6 + 0.2 * SECRET:.3f}"[2:]
    for address in [*addresses(lab), f"/experiments/{lab['scored'].pk}/?part=runs"]:
        body = body_of(blind.get(address))
        found = [part for part in [*digits, accuracy] if f".{part}" in body]
        assert not found, (address, found)


def test_the_holdout_is_there_for_who_may_see_it(lab, viewer):
    one = lab["scored"].pk
    for address in (f"/experiments/{one}/", f"/experiments/{one}.json", "/experiments/export.csv", "/leaderboard/"):
        body = body_of(viewer.get(address))
        assert "0.77" in body or "0.765" in body, address


def test_holdout_inputs_are_shown_to_nobody(lab, admin):
    body = body_of(admin.get("/benchmarks/geography/"))
    assert "dev question 0" in body
    assert "holdout question" not in body


@pytest.mark.parametrize(
    "address",
    [
        "/experiments/999999/", "/experiments/999999/row/", "/experiments/999999.json", "/benchmarks/atlantis/",
        "/methods/alchemy/", "/charts/alchemy/", "/charts/alchemy.csv", "/charts/alchemy/table/",
        "/charts/seed-spread/?ids=999999", "/charts/pgr-over-time/?benchmark=atlantis",
        "/charts/training-curves/?experiment=999999",
    ],
)  # fmt: skip
def test_what_does_not_exist_is_not_found(lab, viewer, address):
    response = viewer.get(address)
    assert response.status_code == 404
    assert "Not found" in body_of(response)


@pytest.mark.parametrize(
    "address",
    [
        "/experiments/?cursor=nonsense",
        "/leaderboard/?benchmark=geography&cursor=e30",
        "/experiments/compare/?ids=3,x",
        "/experiments/compare/?ids=99999999999",
        "/charts/seed-spread/?ids=-1",
    ],
)
def test_an_address_that_cannot_be_read_is_refused(lab, viewer, address):
    assert viewer.get(address).status_code == 400


def test_pages_take_no_posts(lab, viewer):
    assert viewer.post("/experiments/").status_code == 405
    assert viewer.post("/").status_code == 405


def test_pages_forbid_inline_code_and_framing(lab, viewer):
    policy = viewer.get("/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
