"""The admin panel: accounts, tokens, prices, policies, detectors, latches; actions call services, with a reason.

Evidence is read-only. Whoever enters needs the permission `administer` beside Django's staff mark.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm, AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from agents.models import Agent, Approval, Campaign, Latch, Policy, Price, Token
from agents.services.campaigns import freeze_campaign, stop_campaign, thaw_campaign
from agents.services.control import pause_agent, resume_agent, stop_agent
from agents.services.policies import set_policy
from agents.services.tokens import revoke_token
from experiments.acting import act_as
from experiments.errors import LabError
from experiments.models import Event
from experiments.texts import check_reason
from oversight.models import AuditEntry, Calibration, Decision, DetectorSetting, Flag
from oversight.permissions import can_administer
from oversight.services.detectors import set_detector


class ReasonAction(ActionForm):
    """What every bulk action asks."""

    reason = forms.CharField(
        max_length=2_000, required=False, widget=UnfoldAdminTextInputWidget({"placeholder": "Reason"})
    )


class ReasonForm(forms.ModelForm):
    """A form that asks why, beside the row's own fields."""

    reason = forms.CharField(max_length=2_000, widget=UnfoldAdminTextInputWidget, help_text="Goes into the audit trail")


class PersonForm(UserChangeForm):
    """The same for an account."""

    reason = forms.CharField(max_length=2_000, widget=UnfoldAdminTextInputWidget, help_text="Goes into the audit trail")


class Guarded(ModelAdmin):
    """For administrators; nothing is deleted here."""

    action_form = ReasonAction

    def has_module_permission(self, request: HttpRequest) -> bool:
        return can_administer(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return can_administer(request.user)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return can_administer(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return can_administer(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def each(self, request: HttpRequest, rows: "QuerySet[Any]", verb: Callable[[Any, str], object]) -> None:
        """Call a service for every chosen row; what it objects to is said, row by row."""
        reason, done = request.POST.get("reason", ""), 0
        for row in rows:
            try:
                verb(row, reason)
                done += 1
            except LabError as error:
                self.message_user(request, f"{row}: {error}", messages.ERROR)
        self.message_user(request, f"{done} done.", messages.SUCCESS if done else messages.WARNING)


class ReadOnly(Guarded):
    """Evidence, and rows that only services write."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class WithReason(Guarded):
    """Plain configuration: every save says why, and the trail names who."""

    form = ReasonForm

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        act_as(request.user, form.cleaned_data.get("reason", ""))  # type: ignore[arg-type]
        super().save_model(request, obj, form, change)


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class People(WithReason, UserAdmin):
    """Accounts and their roles."""

    form, add_form, change_password_form = PersonForm, UserCreationForm, AdminPasswordChangeForm
    list_display = ["username", "roles", "is_active", "is_staff", "last_login"]
    list_filter = ["groups", "is_active"]
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ["username", "password", "email"]}),
        ("Role", {"fields": ["groups", "is_active", "is_staff", "reason"]}),
    )

    @admin.display(description="Role")
    def roles(self, user: User) -> str:
        """Names of its groups."""
        return ", ".join(sorted(each.name for each in user.groups.all())) or "none"

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

    @admin.action(description="Revoke, with a reason")
    def revoke(self, request: HttpRequest, rows: "QuerySet[Token]") -> None:
        """At once and for good."""

        def one(token: Token, reason: str) -> None:
            act_as(request.user, check_reason(reason))  # type: ignore[arg-type]
            revoke_token(token_id=token.pk)

        self.each(request, rows, one)


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
        from agents.policy import checked_rules  # noqa: PLC0415

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

    @admin.action(description="Restore a demoted detector, with a reason")
    def restore(self, request: HttpRequest, rows: "QuerySet[DetectorSetting]") -> None:
        """Its holds hold again."""
        user: Any = request.user
        self.each(request, rows, lambda row, why: set_detector(user=user, name=row.name, restore=True, reason=why))


@admin.register(Latch)
class Latches(ReadOnly):
    """What holds agents."""

    list_display = ["agent", "kind", "now", "reason", "set_by", "set_at", "released_at", "release_reason"]
    list_filter = ["kind"]
    actions = ["release"]

    @admin.action(description="Release, with a reason")
    def release(self, request: HttpRequest, rows: "QuerySet[Latch]") -> None:
        """Each latch needs its own release."""
        user: Any = request.user
        self.each(
            request,
            rows.filter(released_at=None),
            lambda row, why: resume_agent(user=user, agent_id=row.agent_id, reason=why, kinds=[row.kind]),
        )


@admin.register(Agent)
class Agents(ReadOnly):
    """Agents; bulk pause and stop."""

    list_display = ["name", "campaign", "researcher", "state", "doing", "steps_done"]
    list_filter = ["state", "campaign"]
    actions = ["pause", "stop"]

    @admin.action(description="Pause, with a reason")
    def pause(self, request: HttpRequest, rows: "QuerySet[Agent]") -> None:
        """The reviewer's latch."""
        user: Any = request.user
        self.each(request, rows, lambda row, why: pause_agent(user=user, agent_id=row.pk, reason=why))

    @admin.action(description="Stop for good, with a reason")
    def stop(self, request: HttpRequest, rows: "QuerySet[Agent]") -> None:
        """Tokens are revoked first."""
        user: Any = request.user
        self.each(request, rows, lambda row, why: stop_agent(user=user, agent_id=row.pk, reason=why))


@admin.register(Campaign)
class Campaigns(ReadOnly):
    """Campaigns; bulk freeze, thaw and stop."""

    list_display = ["name", "state", "reason", "created_by", "created_at", "deadline"]
    list_filter = ["state"]
    actions = ["freeze", "thaw", "stop"]

    @admin.action(description="Freeze, with a reason")
    def freeze(self, request: HttpRequest, rows: "QuerySet[Campaign]") -> None:
        """Hold everybody."""
        user: Any = request.user
        self.each(request, rows, lambda row, why: freeze_campaign(user=user, campaign_id=row.pk, reason=why))

    @admin.action(description="Thaw, with a reason")
    def thaw(self, request: HttpRequest, rows: "QuerySet[Campaign]") -> None:
        """Let them go on."""
        user: Any = request.user
        self.each(request, rows, lambda row, why: thaw_campaign(user=user, campaign_id=row.pk, reason=why))

    @admin.action(description="Stop for good, with a reason")
    def stop(self, request: HttpRequest, rows: "QuerySet[Campaign]") -> None:
        """All its agents end."""
        user: Any = request.user
        self.each(request, rows, lambda row, why: stop_campaign(user=user, campaign_id=row.pk, reason=why))


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
