"""Who may call: tokens, scopes, sessions; agents/authentication.py."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Token
from agents.services import create_token, revoke_token
from tests.api.conftest import Caller, problem
from tests.factories import make_user

pytestmark = pytest.mark.django_db

READS = [
    "me/", "benchmarks/", "benchmarks/geography/", "benchmarks/geography/data/train/", "methods/", "methods/vanilla/",
    "experiments/", "experiments/1/", "evaluations/", "evaluations/1/", "uploads/1/", "leaderboard/", "events/",
]  # fmt: skip
WRITES = ["experiments/", "experiments/1/cancel/", "experiments/1/rerun/", "evaluations/"]


@pytest.mark.parametrize("path", READS)
def test_reading_without_a_token_is_401(path):
    answer = Caller().get(path)
    problem(answer, 401, "unauthenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", WRITES)
def test_writing_without_a_token_is_401(path):
    problem(Caller().send(path, {}), 401, "unauthenticated")


@pytest.mark.parametrize("header", ["Bearer aar_unknown", "Bearer", "Bearer a b"])
def test_a_bad_token_is_401(header):
    problem(Caller().get("me/", HTTP_AUTHORIZATION=header), 401, "unauthenticated")


def test_a_revoked_token_is_401_at_once(agent):
    assert agent.get("me/").status_code == 200
    revoke_token(token_id=Token.objects.get(user=agent.user).pk)
    problem(agent.get("me/"), 401, "unauthenticated")


def test_an_expired_token_is_401(roles):
    _, token = create_token(name="old", role="agent", expires_at=timezone.now() - timedelta(seconds=1))
    problem(Caller(token=token).get("me/"), 401, "unauthenticated")


def test_a_token_of_a_disabled_account_is_401(agent):
    agent.user.is_active = False
    agent.user.save()
    problem(agent.get("me/"), 401, "unauthenticated")


@pytest.mark.parametrize("path", WRITES)
def test_a_read_token_cannot_write(caller, path):
    reader = caller("agent", scopes=["read"])
    assert reader.get("me/").status_code == 200
    assert "'write'" in problem(reader.send(path, {}), 403, "forbidden")["detail"]


def test_a_write_token_cannot_read(caller):
    problem(caller("agent", scopes=["write"]).get("me/"), 403, "forbidden")


def test_a_session_reads_and_needs_csrf_to_write(roles):
    browser = Caller(enforce_csrf_checks=True)
    browser.force_login(make_user("researcher"))
    assert browser.get("me/").json()["token"] is None
    assert "CSRF" in problem(browser.send("experiments/", {}), 403, "forbidden")["detail"]


def test_using_a_token_is_noted(agent):
    agent.get("me/")
    assert Token.objects.get(user=agent.user).last_used_at is not None


def test_an_agent_may_not_read_the_log(agent):
    problem(agent.get("events/"), 403, "forbidden")
