"""`manage.py token`; agents/management/commands/token.py."""

import json

import pytest
from django.core.management import CommandError, call_command

from agents.models import Token
from tests.api.conftest import Caller, problem

pytestmark = pytest.mark.usefixtures("roles")


def run(capsys, *arguments) -> str:
    call_command("token", *arguments)
    return capsys.readouterr().out.strip()


def test_a_created_token_opens_the_api(capsys):
    token = run(capsys, "create", "me", "--role", "researcher")
    assert token.startswith("aar_")
    me = Caller(token=token).get("me/").json()
    assert me["username"] == "me"
    assert me["roles"] == ["researcher"]
    assert token not in str(Token.objects.values())


def test_json_has_the_token_once(capsys):
    made = json.loads(
        run(capsys, "create", "me", "--role", "agent", "--scopes", "read", "--expires-days", "30", "--json")
    )
    assert Caller(token=made["token"]).get("me/").json()["token"]["scopes"] == ["read"]
    assert made["expires_at"] > made["created_at"]
    assert made["state"] == "usable"
    assert "token" not in json.loads(run(capsys, "list", "--json"))[0]


def test_the_list_shows_names_and_use_but_no_token(capsys):
    token = run(capsys, "create", "me", "--role", "agent")
    Caller(token=token).get("me/")
    listed = run(capsys, "list")
    assert "me" in listed
    assert "used 20" in listed
    assert token not in listed


def test_an_empty_list_says_what_to_do(capsys):
    assert "token create" in run(capsys, "list")


def test_a_revoked_token_opens_nothing(capsys):
    made = json.loads(run(capsys, "create", "me", "--role", "agent", "--json"))
    assert "revoked" in run(capsys, "revoke", str(made["id"]))
    problem(Caller(token=made["token"]).get("me/"), 401, "unauthenticated")
    assert json.loads(run(capsys, "revoke", str(made["id"]), "--json"))["state"] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "me", "--role", "king"], "allowed: admin, agent"),
        (["create", "me", "--role", "agent", "--scopes", "fly"], "allowed: read, write"),
        (["create", "me", "--role", "agent", "--scopes", ","], "needs a scope"),
        (["create", "a b", "--role", "agent"], "valid username"),
        (["create", "", "--role", "agent"], "cannot be blank"),
        (["create", "x" * 151, "--role", "agent"], "at most 150"),
        (["create", "me", "--role", "agent", "--expires-days", "0"], "1 to 36500"),
        (["create", "me"], "--role"),
        (["revoke", "77"], "no token 77"),
    ],
)
def test_mistakes_are_sentences(arguments, said):
    with pytest.raises(CommandError, match=said):
        call_command("token", *arguments)
    assert not Token.objects.exists()


def test_a_token_does_not_change_an_accounts_role(capsys):
    run(capsys, "create", "me", "--role", "agent")
    with pytest.raises(CommandError, match="exists with role agent"):
        call_command("token", "create", "me", "--role", "admin")
