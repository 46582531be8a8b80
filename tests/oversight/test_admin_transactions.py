"""Every button of the admin panel in transactions of its own, as the web server runs it: what it does, and the trail.

A test inside a transaction would not see that one is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse

from agents.models import Agent, Campaign, Latch, Policy, Price, Token
from agents.services.campaigns import freeze_campaign
from agents.services.control import pause_agent
from agents.services.tokens import token_for
from oversight.audit_sql import AUDITED
from oversight.models import AuditEntry, DetectorSetting
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_user
from tests.pages.conftest import _plain_static_files, logged_in  # noqa: F401 - a fixture

WHY = "the quota is spent"


@pytest.fixture
def panel(transactional_db):
    return logged_in(make_user("admin", "adam", is_staff=True))


def adam() -> User:
    return User.objects.get(username="adam")


@dataclass(frozen=True)
class Case:
    """make: the row. done: whether it was done. audited: what the trail says the change was about."""

    make: Callable[[], Any]
    done: Callable[[Any], bool]
    audited: str


def paused() -> Agent:
    agent = the_agent(make_campaign())
    pause_agent(user=adam(), agent_id=agent.pk, reason="before")
    return agent


def frozen() -> Campaign:
    campaign = make_campaign()
    freeze_campaign(user=adam(), campaign_id=campaign.pk, reason="before")
    return campaign


def with_token() -> Agent:
    agent = the_agent(make_campaign())
    token_for(agent.user)
    return agent


def demoted() -> DetectorSetting:
    row = DetectorSetting.objects.create(name="replay", demotion="2 of 20")
    DetectorSetting.objects.filter(pk=row.pk).update(demoted_at=row.updated_at)
    return row


ACTIONS = {
    ("agents.token", "revoke"): Case(
        lambda: token_for(make_user("researcher"), name="t")[0], lambda row: row.revoked_at is not None, "token:"
    ),
    ("oversight.detectorsetting", "restore"): Case(demoted, lambda row: row.demoted_at is None, "detector:"),
    ("agents.latch", "release"): Case(
        lambda: Latch.objects.get(agent=paused()), lambda row: row.released_at is not None, "latch:"
    ),
    ("agents.agent", "pause"): Case(
        lambda: the_agent(make_campaign()), lambda row: row.latches.exists(), "latch:"
    ),
    ("agents.agent", "stop"): Case(with_token, lambda row: row.state == "stopped", "token:"),
    ("agents.campaign", "freeze"): Case(
        make_campaign, lambda row: row.state == "frozen", "campaign:"
    ),
    ("agents.campaign", "thaw"): Case(frozen, lambda row: row.state == "running", "campaign:"),
    ("agents.campaign", "stop"): Case(
        make_campaign, lambda row: row.state == "stopped", "campaign:"
    ),
}  # fmt: skip


def test_every_action_of_the_panel_is_tested_here(rf):
    request = rf.get("/")
    request.user = User(username="nobody")
    found = {
        (model._meta.label_lower, name)
        for model, site in admin.site._registry.items()
        for _, name, _ in site._get_base_actions()
        if name != "delete_selected" or site.has_delete_permission(request)
    }
    assert found == set(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS, ids=".".join)
def test_an_action_and_its_line_in_the_trail_are_one_transaction(panel, action):
    label, name = action
    case = ACTIONS[action]
    row = case.make()
    address = reverse(f"admin:{label.replace('.', '_')}_changelist")
    chosen = {"action": name, "_selected_action": [row.pk]}
    last = AuditEntry.objects.latest("id").pk if AuditEntry.objects.exists() else 0
    panel.post(address, chosen)  # no reason: nothing is done
    row.refresh_from_db()
    assert not case.done(row) and not AuditEntry.objects.filter(pk__gt=last).exists()
    answer = panel.post(address, {**chosen, "reason": WHY}, follow=True)
    assert "1 done." in answer.content.decode()
    row.refresh_from_db()
    assert case.done(row)
    entry = AuditEntry.objects.filter(pk__gt=last, subject__startswith=case.audited).latest("id")
    assert (entry.actor_name, entry.reason) == ("adam", WHY) and entry.number is not None


@pytest.mark.parametrize("action", ACTIONS, ids=".".join)
def test_an_action_whose_line_cannot_be_written_is_not_done(panel, action):
    label, name = action
    case = ACTIONS[action]
    row = case.make()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE oversight_auditentry ADD CONSTRAINT none_more CHECK (reason <> %s)", [WHY])
    try:
        address = reverse(f"admin:{label.replace('.', '_')}_changelist")
        with pytest.raises(Exception, match="none_more"):
            panel.post(address, {"action": name, "_selected_action": [row.pk], "reason": WHY})
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE oversight_auditentry DROP CONSTRAINT none_more")
    row.refresh_from_db()
    assert not case.done(row)


FORMS: dict[tuple[str, str], tuple[Callable[[], Any], dict[str, Any], str]] = {
    ("agents.price", "add"): (
        lambda: None, {"model": "m", "input": 5, "output": 9, "cache_read": 1, "cache_write": 1}, "price:"
    ),
    ("agents.price", "change"): (
        lambda: Price.objects.create(model="m", input=1, output=1, cache_read=1, cache_write=1),
        {"model": "m", "input": 5, "output": 9, "cache_read": 1, "cache_write": 1}, "price:",
    ),
    ("agents.policy", "add"): (lambda: None, {"rules": '[{"effect": "ask"}]', "approval_seconds": 3600}, "policy:"),
    ("oversight.detectorsetting", "add"): (lambda: None, {"name": "replay", "overrides": "{}"}, "detector:"),
    ("oversight.detectorsetting", "change"): (
        lambda: DetectorSetting.objects.create(name="replay"), {"name": "replay", "overrides": '{"p": 0.1}'},
        "detector:",
    ),
    ("auth.user", "add"): (
        lambda: None, {"username": "new", "usable_password": "false", "password1": "", "password2": ""}, "user:"
    ),
    ("auth.user", "change"): (
        lambda: make_user("viewer", "vera"), {"username": "vera", "email": "v@here.org", "is_active": "on"}, "user:"
    ),
    ("auth.user", "password"): (
        lambda: make_user("viewer", "vera"),
        {"usable_password": "true", "password1": "long-and-odd-9", "password2": "long-and-odd-9"}, "user:",
    ),
}  # fmt: skip


def test_every_form_of_the_panel_is_tested_here(rf):
    request = rf.get("/")
    request.user = User(username="root", is_superuser=True)
    found = {("auth.user", "password")}
    for model, site in admin.site._registry.items():
        found |= {(model._meta.label_lower, "add")} if site.has_add_permission(request) else set()
        found |= {(model._meta.label_lower, "change")} if site.has_change_permission(request) else set()
        assert not site.has_delete_permission(request)
    assert found == set(FORMS)


@pytest.mark.parametrize("form", FORMS, ids=".".join)
def test_a_form_and_its_line_in_the_trail_are_one_transaction(panel, form):
    label, kind = form
    make, given, audited = FORMS[form]
    row = make()
    last = AuditEntry.objects.latest("id").pk if AuditEntry.objects.exists() else 0
    if kind == "password":
        address = reverse("admin:auth_user_password_change", args=[row.pk])
    else:
        address = reverse(f"admin:{label.replace('.', '_')}_{kind}", args=[row.pk] if row else [])
    assert panel.post(address, given).status_code == 200  # no reason: the form comes back
    assert not AuditEntry.objects.filter(pk__gt=last).exists()
    answer = panel.post(address, {**given, "reason": WHY})
    assert answer.status_code == 302, answer.content.decode()
    entry = AuditEntry.objects.filter(pk__gt=last, subject__startswith=audited).latest("id")
    assert (entry.actor_name, entry.reason) == ("adam", WHY)


def test_what_the_panel_changes_is_audited():
    changed = {Token, Policy, Price, DetectorSetting, Campaign, Latch, User}
    assert {model._meta.db_table for model in changed} <= set(AUDITED)
