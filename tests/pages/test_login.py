"""Logging in by password and by a link that works once; logging out."""

import json
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from redis.exceptions import ConnectionError as NoRedis

from aarweb import login_throttle
from aarweb.login import one_time_path
from tests.factories import PASSWORD, make_user


def enter(client, name="ada", password=PASSWORD, **fields):
    return client.post("/login/", {"username": name, "password": password, **fields})


@pytest.fixture
def ada(roles):
    return make_user("researcher", name="ada")


def test_the_right_password_logs_in_and_leads_on(client, ada):
    response = enter(client, next="/experiments/?state=failed")
    assert response["Location"] == "/experiments/?state=failed"
    assert client.get("/").status_code == 200


def test_nobody_is_led_to_another_site(client, ada):
    assert enter(client, next="https://evil.example/")["Location"] == "/"


def test_a_wrong_password_says_so_without_saying_which_was_wrong(client, ada):
    wrong, absent = enter(client, password="x"), enter(client, name="nobody", password="x")
    assert wrong.status_code == absent.status_code == 200
    message = "Please enter a correct username and password"
    assert message in wrong.content.decode() and message in absent.content.decode()


def test_five_failures_close_the_door_even_for_the_right_password(client, ada):
    for _ in range(login_throttle.MOST_FAILURES):
        assert enter(client, password="x").status_code == 200
    response = enter(client)
    assert response.status_code == 429
    assert "Too many failed attempts from here for this account. Try again in 15 minutes." in response.content.decode()
    assert client.get("/").status_code == 302


def test_another_account_and_another_address_are_not_closed_out(client, ada):
    make_user("researcher", name="noor")
    for _ in range(login_throttle.MOST_FAILURES + 1):
        enter(client, password="x")
    assert enter(Client(), name="noor").status_code == 302
    assert enter(Client(REMOTE_ADDR="10.0.0.9")).status_code == 302


def test_the_account_is_counted_however_it_is_written(client, ada):
    for name in ("ada", "ADA", "Ada", "aDa", "adA"):
        enter(client, name=name, password="x")
    assert enter(client).status_code == 429


def test_a_right_password_starts_the_count_again(client, ada):
    for _ in range(2):
        for _ in range(login_throttle.MOST_FAILURES - 1):
            enter(client, password="x")
        assert enter(client).status_code == 302
        client.logout()


def test_the_door_opens_again_when_the_count_runs_out(client, ada):
    for _ in range(login_throttle.MOST_FAILURES + 1):
        enter(client, password="x")
    redis = cache._cache.get_client()
    keys = redis.keys("*login-*")
    assert len(keys) == 2
    for key in keys:
        assert 0 < redis.ttl(key) <= login_throttle.WINDOW_SECONDS
        redis.expire(key, 0)
    assert enter(client).status_code == 302


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "1 minute"), (59, "1 minute"), (61, "2 minutes"), (900, "15 minutes")]
)
def test_the_wait_is_rounded_up_to_minutes(seconds, words):
    assert login_throttle._words(seconds) == words


def test_without_a_cache_people_still_get_in(client, ada, monkeypatch, caplog):
    def broken(*_args, **_kwargs):
        raise NoRedis("connection refused")

    monkeypatch.setattr(login_throttle.cache, "add", broken)
    monkeypatch.setattr(login_throttle.cache, "delete_many", broken)
    assert enter(client).status_code == 302
    assert "logins are not throttled" in caplog.text


def test_a_link_logs_the_owner_in_once(client, roles):
    path = one_time_path()
    assert client.get(path)["Location"] == "/"
    assert client.get("/").status_code == 200
    second = Client().get(path)
    assert second.status_code == 403
    assert "This link no longer works" in second.content.decode()


def test_the_owner_is_an_admin_without_a_password(client, roles):
    client.get(one_time_path())
    owner = get_user_model().objects.get(username="owner")
    assert [group.name for group in owner.groups.all()] == ["admin"]
    assert not owner.has_usable_password()


def test_a_used_link_leads_home_who_is_logged_in(client, roles):
    path = one_time_path()
    client.get(path)
    assert client.get(path)["Location"] == "/"


def test_a_login_uses_older_links_up(client, roles):
    first, second = one_time_path(), one_time_path()
    client.get(second)
    assert Client().get(first).status_code == 403


@pytest.mark.parametrize("link", ["nonsense", "1-abc-def", "!!-x", "zzzzzzzzzzzzzzzz-1", "-"])
def test_a_made_up_link_opens_nothing(client, roles, link):
    assert client.get(f"/login/{link}/").status_code == 403
    assert client.get("/").status_code == 302


def test_a_link_expires(client, roles, settings):
    path = one_time_path()
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert client.get(path).status_code == 403


def test_a_link_of_a_switched_off_account_opens_nothing(client, roles):
    path = one_time_path()
    get_user_model().objects.update(is_active=False)
    assert client.get(path).status_code == 403


def test_a_link_is_not_used_up_by_a_look_at_its_head(client, roles):
    path = one_time_path()
    assert client.head(path).status_code == 405
    assert client.get(path).status_code == 302


def test_logging_out_needs_a_post_and_ends_the_session(client, ada):
    client.force_login(ada)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/").status_code == 302


def test_the_command_prints_a_link_that_works(client, roles, settings):
    settings.PUBLIC_URL = "https://lab.example/"
    out = StringIO()
    call_command("login", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["url"] == f"https://lab.example{answer['path']}"
    assert client.get(answer["path"]).status_code == 302


def test_a_form_from_another_site_is_refused(ada):
    strict = Client(enforce_csrf_checks=True)
    response = enter(strict)
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()


def test_the_admin_site_sends_to_the_throttled_login(client, ada):
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0] == "/login/?next=/admin/"
    for _ in range(8):
        client.post("/admin/login/", {"username": ada.username, "password": "guess"})
    assert client.session.get("_auth_user_id") is None
    client.force_login(ada)
    assert client.get("/admin/", follow=True).status_code == 403
