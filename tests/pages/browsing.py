"""Fixtures of browser tests, for every folder: one server a session, one browser a module, surfers of a test."""

import os

import pytest
from django.db import connections

from tests.pages.surfing import CHROMIUM, FLAGS, Surfer, serving


@pytest.fixture(scope="session")
def server(django_db_setup, django_db_blocker, tmp_path_factory):
    """One real server for the session. Its address."""
    with django_db_blocker.unblock(), serving(tmp_path_factory.mktemp("site")) as url:
        yield url


@pytest.fixture(scope="module")
def chromium():
    """One browser for a module.

    Playwright keeps an event loop in this thread while it runs, in which Django refuses the database; only modules of
    browser tests pay for that, and the loop ends with them, so that asynchronous tests meet none.
    """
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=120_000)
        yield browser
        browser.close()
        connections.close_all()  # those of the tests beside this loop, which nobody else would give back
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def surf(transactional_db, chromium, server):
    """Makes surfers: surf(user, width=360, dark=True); whoever complained on the console fails the test."""
    surfers = []

    def make(user=None, **options) -> Surfer:
        surfers.append(Surfer(chromium, server, user, **options))
        return surfers[-1]

    yield make
    for surfer in surfers:
        surfer.context.close()
    assert [each for surfer in surfers for each in surfer.complaints] == []
