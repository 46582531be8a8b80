"""The admin panel: who gets in, that actions call services with a reason, that evidence is read-only."""

import re

import pytest
from django.contrib import admin
from django.db import connection
from django.urls import reverse

from agents.models import Agent, Latch, Policy, Price
from oversight.models import AuditEntry, DetectorSetting
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_user
from tests.oversight.conftest import agents_experiment, raised
from tests.pages.conftest import _plain_static_files, logged_in  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
READ_ONLY = ["flag", "decision", "calibration", "auditentry"]


@pytest.fixture
def panel():
    return logged_in(make_user("admin", "adam", is_staff=True))


def sealed(subject: str) -> AuditEntry:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return AuditEntry.objects.filter(subject__startswith=subject).latest("id")


def test_every_list_and_form_answers(panel):
    flag = raised(agents_experiment(), level="hold")
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert panel.get(reverse(f"{name}_changelist")).status_code == 200, name
        assert panel.get(reverse(f"{name}_add")).status_code in (200, 403), name
    assert panel.get(reverse("admin:oversight_flag_change", args=[flag.pk])).status_code == 200


def test_the_panel_speaks_of_policies_not_of_policys():
    plurals = {str(model._meta.verbose_name_plural) for model in admin.site._registry}
    assert [each for each in plurals if re.search(r"[^aeiou]ys$|(ch|sh|s|x)s$|entrys", each)] == []
    assert {"policies", "latches", "audit entries"} <= plurals


def test_the_panel_alone_has_a_policy_that_lets_its_theme_evaluate_and_no_inline_script(panel):
    inside, outside = panel.get("/admin/")["Content-Security-Policy"], panel.get("/")["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval';" in f"{inside};"
    assert "unsafe" not in outside


@pytest.mark.parametrize("role", ["viewer", "researcher", "reviewer"])
def test_staff_without_the_permission_see_nothing(role):
    person = logged_in(make_user(role, is_staff=True))
    assert person.get(reverse("admin:agents_price_changelist")).status_code == 403


@pytest.mark.parametrize("model", READ_ONLY)
def test_evidence_can_be_neither_made_nor_changed_nor_deleted(panel, model):
    flag = raised(agents_experiment())
    assert panel.get(reverse(f"admin:oversight_{model}_add")).status_code == 403
    if model == "flag":
        assert panel.post(reverse("admin:oversight_flag_change", args=[flag.pk]), {"title": "x"}).status_code == 403
        assert panel.post(reverse("admin:oversight_flag_delete", args=[flag.pk])).status_code == 403


def test_a_price_is_changed_with_a_reason_that_the_trail_keeps(panel):
    price = Price.objects.create(model="m", input=5, output=25, cache_read=1, cache_write=6)
    address = reverse("admin:agents_price_change", args=[price.pk])
    given = {"model": "m", "input": 7, "output": 25, "cache_read": 1, "cache_write": 6}
    assert panel.post(address, given).status_code == 200  # no reason: the form comes back
    price.refresh_from_db()
    assert price.input == 5
    assert panel.post(address, {**given, "reason": "new list"}).status_code == 302
    entry = sealed("price:")
    assert (entry.actor_name, entry.reason, entry.after) == ("adam", "new list", {"input": 7})


def test_bulk_pause_asks_a_reason_and_calls_the_service(panel):
    first, second = the_agent(make_campaign()), the_agent(make_campaign())
    chosen = {"action": "pause", "_selected_action": [first.pk, second.pk]}
    panel.post(reverse("admin:agents_agent_changelist"), {**chosen, "reason": ""})
    assert not Latch.objects.exists()
    panel.post(reverse("admin:agents_agent_changelist"), {**chosen, "reason": "quota"})
    assert sorted(Latch.objects.values_list("agent", "reason")) == [(first.pk, "quota"), (second.pk, "quota")]
    assert set(Agent.objects.values_list("state", flat=True)) == {"paused"}
    panel.post(
        reverse("admin:agents_latch_changelist"),
        {"action": "release", "_selected_action": [each.pk for each in Latch.objects.all()], "reason": "sorted out"},
    )
    assert set(Agent.objects.values_list("state", flat=True)) == {"ready"}


def test_a_policy_is_a_new_version_and_a_wrong_rule_comes_back(panel):
    campaign = make_campaign()
    address = reverse("admin:agents_policy_add")
    given = {"campaign": campaign.pk, "rules": '[{"effect": "permit"}]', "approval_seconds": 3600, "reason": "try"}
    assert "expected one of allow, ask, deny" in panel.post(address, given).content.decode()
    panel.post(address, {**given, "rules": '[{"effect": "ask"}]'})
    made = Policy.objects.get(campaign=campaign)
    assert (made.version, made.rules, made.made_by.username) == (1, [{"effect": "ask"}], "adam")


def test_a_detector_is_set_by_its_service(panel):
    given = {"name": "replay", "overrides": '{"p": 0.01}', "reason": "noisy"}
    assert panel.post(reverse("admin:oversight_detectorsetting_add"), given).status_code == 302
    row = DetectorSetting.objects.get()
    assert (row.enabled, row.overrides, row.updated_by.username) == (False, {"p": 0.01}, "adam")


def test_a_role_is_given_with_a_reason(panel):
    person = make_user("viewer", "vera")
    address = reverse("admin:auth_user_change", args=[person.pk])
    groups = list(person.groups.values_list("pk", flat=True))
    given = {"username": "vera", "email": "", "groups": [], "is_active": "on"}
    assert panel.post(address, {**given, "groups": groups}).status_code == 200
    assert panel.post(address, {**given, "reason": "left the team"}).status_code == 302
    assert (sealed("membership:").verb, sealed("membership:").reason) == ("removed", "left the team")
