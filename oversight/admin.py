"""The admin panel: accounts, tokens, prices, policies, detectors, latches; actions call services, with a reason.

Evidence is read-only. Whoever enters needs the permission `administer` beside Django's staff mark.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from agents.models import Agent, Approval, Campaign, Latch, Policy, Price, Token
from agents.policy import checked_rules
from agents.services.campaigns import freeze_campaign, stop_campaign, thaw_campaign
from agents.services.control import pause_agent, resume_agent, stop_agent
from agents.services.policies import set_policy
from agents.services.tokens import revoke_token
from experiments.acting import act_as
from experiments.errors import LabError
from experiments.models import Event
from oversight.admin_base import (
    Guarded,
    NewPersonForm,
    PasswordForm,
    PersonForm,
    ReadOnly,
    WithReason,
    by_service,
)
from oversight.models import AuditEntry, Calibration, Decision, DetectorSetting, Flag
from oversight.services.detectors import set_detector

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class People(WithReason, UserAdmin):
    """Accounts and their roles."""

    form, add_form, change_password_form = PersonForm, NewPersonForm, PasswordForm
    list_display = ["username", "roles", "is_active", "is_staff", "last_login"]
    list_filter = ["groups", "is_active"]
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ["username", "password", "email"]}),
        ("Role", {"fields": ["groups", "is_active", "is_staff", "reason"]}),
    )
    add_fieldsets = ((None, {"fields": ["username", "usable_password", "password1", "password2", "reason"]}),)

    @admin.display(description="Role")
    def roles(self, user: User) -> str:
        """Names of its groups."""
        return ", ".join(sorted(each.name for each in user.groups.all())) or "none"

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """In a transaction, which Django's own view lacks, so that the trail names who did it and why."""
        with transaction.atomic():
            if request.method == "POST":
                act_as(request.user, request.POST.get("reason", ""))  # type: ignore[arg-type]
            return super().user_change_password(request, id, form_url)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[User]":
        return super().get_queryset(request).prefetch_related("groups")


@admin.register(Group)
class Roles(ReadOnly, GroupAdmin):
    """What each role may do: aarweb/roles.py says it, and `manage.py prepare` writes it."""


@admin.register(Token)
class Tokens(ReadOnly):
    """Tokens are shown once, when `manage.py token` makes them; here they are revoked."""

    list_display = ["name", "user", "prefix", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"]
    exclude = ["digest"]
    actions = ["revoke"]

    revoke = by_service("Revoke at once and for good", lambda token, *_: revoke_token(token_id=token.pk))


@admin.register(Price)
class Prices(WithReason):
    """Micro-dollars for a million tokens."""

    list_display = ["model", "input", "output", "cache_read", "cache_write", "updated_at"]


class PolicyForm(forms.ModelForm):
    """A new version of a policy."""

    class Meta:
        model = Policy
        fields = ["campaign", "rules", "hold_flags", "approval_seconds", "reason"]

    def clean(self) -> dict[str, Any]:
        """The rules are checked by the service's own check."""
        given = super().clean() or {}
        try:
            checked_rules(given.get("rules"))
        except LabError as error:
            self.add_error("rules", f"{error} ({error.pointer})")
        return given


@admin.register(Policy)
class Policies(Guarded):
    """A change is a new version; old ones stay."""

    form = PolicyForm
    list_display = ["__str__", "version", "hold_flags", "approval_seconds", "made_by", "created_at", "reason"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:
        """By the service; the row that the form made is not saved."""
        made = set_policy(
            user=request.user,  # type: ignore[arg-type]
            campaign_id=obj.campaign_id,
            rules=obj.rules,
            hold_flags=obj.hold_flags,
            approval_seconds=obj.approval_seconds,
            reason=obj.reason,
        )
        obj.pk = made.pk


@admin.register(DetectorSetting)
class Detectors(WithReason):
    """On or off, thresholds, demotion."""

    list_display = ["name", "enabled", "overrides", "demoted_at", "demotion", "updated_by", "updated_at"]
    fields = ["name", "enabled", "overrides", "reason"]
    actions = ["restore"]

    def save_model(self, request: HttpRequest, obj: DetectorSetting, form: Any, change: bool) -> None:
        """By the service."""
        row = set_detector(
            user=request.user,  # type: ignore[arg-type]
            name=obj.name,
            enabled=obj.enabled,
            overrides=obj.overrides,
            reason=form.cleaned_data["reason"],
        )
        obj.pk = row.pk

    restore = by_service(
        "Restore a demoted detector",
        lambda row, user, why: set_detector(user=user, name=row.name, restore=True, reason=why),
    )


@admin.register(Latch)
class Latches(ReadOnly):
    """What holds agents."""

    list_display = ["agent", "kind", "now", "reason", "set_by", "set_at", "released_at", "release_reason"]
    list_filter = ["kind"]
    actions = ["release"]

    release = by_service(
        "Release",
        lambda row, user, why: resume_agent(user=user, agent_id=row.agent_id, reason=why, kinds=[row.kind]),
        released_at=None,
    )


@admin.register(Agent)
class Agents(ReadOnly):
    """Agents; bulk pause and stop."""

    list_display = ["name", "campaign", "researcher", "state", "doing", "steps_done"]
    list_filter = ["state", "campaign"]
    actions = ["pause", "stop"]

    pause = by_service("Pause", lambda row, user, why: pause_agent(user=user, agent_id=row.pk, reason=why))
    stop = by_service("Stop for good", lambda row, user, why: stop_agent(user=user, agent_id=row.pk, reason=why))


@admin.register(Campaign)
class Campaigns(ReadOnly):
    """Campaigns; bulk freeze, thaw and stop."""

    list_display = ["name", "state", "reason", "created_by", "created_at", "deadline"]
    list_filter = ["state"]
    actions = ["freeze", "thaw", "stop"]

    freeze = by_service("Freeze", lambda row, user, why: freeze_campaign(user=user, campaign_id=row.pk, reason=why))
    thaw = by_service("Thaw", lambda row, user, why: thaw_campaign(user=user, campaign_id=row.pk, reason=why))
    stop = by_service("Stop for good", lambda row, user, why: stop_campaign(user=user, campaign_id=row.pk, reason=why))


@admin.register(Flag)
class Flags(ReadOnly):
    """Evidence."""

    list_display = ["__str__", "detector", "level", "state", "created_at"]
    list_filter = ["level", "state", "detector"]


@admin.register(Decision, Calibration, Approval, Event, AuditEntry)
class Evidence(ReadOnly):
    """Evidence."""

    list_per_page = 50
    show_full_result_count = False
