"""Error pages: in words, in the lab's own look, with nothing of the inside."""

import pytest
from django.test import Client

from tests.factories import make_user
from tests.pages.conftest import logged_in


def test_an_unknown_address_is_answered_in_the_labs_look(client, db):
    response = client.get("/nowhere/")
    page = response.content.decode()
    assert response.status_code == 404
    assert "Not found" in page and "site.css" in page and "urls.py" not in page


def test_a_logged_in_person_keeps_the_navigation_and_their_role(roles):
    page = logged_in(make_user("reviewer")).get("/nowhere/").content.decode()
    assert 'aria-label="Main"' in page and "Role: reviewer" in page


@pytest.mark.parametrize("who", ["anonymous", "viewer"])
def test_a_fault_is_told_without_its_inside(roles, monkeypatch, who):
    def broken(*_args):
        raise RuntimeError("the secret inside")

    monkeypatch.setattr("aarweb.views_home.state_counts", broken)
    monkeypatch.setattr("aarweb.views_login.LoginForm.clean", broken)
    client = Client(raise_request_exception=False)
    if who == "viewer":
        client.force_login(make_user("viewer"))
        response = client.get("/")
    else:
        response = client.post("/login/", {"username": "a", "password": "b"})
    assert response.status_code == 500
    assert "Something broke" in response.content.decode()
    assert "the secret inside" not in response.content.decode()


def test_a_bad_request_is_explained(lab, viewer):
    assert "could not be read" in viewer.get("/experiments/?cursor=x").content.decode()
