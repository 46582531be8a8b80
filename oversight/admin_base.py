"""What all pages of the admin panel share: who may enter, the reason every change asks for, actions by services."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm, AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from experiments.acting import act_as
from experiments.errors import LabError
from experiments.texts import check_reason
from oversight.permissions import can_administer


class ReasonAction(ActionForm):
    """What every bulk action asks."""

    reason = forms.CharField(
        max_length=2_000, required=False, widget=UnfoldAdminTextInputWidget({"placeholder": "Reason"})
    )


class ReasonForm(forms.Form):
    """A form that asks why, beside the row's own fields."""

    reason = forms.CharField(max_length=2_000, widget=UnfoldAdminTextInputWidget, help_text="Goes into the audit trail")


class RowForm(ReasonForm, forms.ModelForm):
    """Of a plain row."""


class PersonForm(ReasonForm, UserChangeForm):
    """Of an account."""


class NewPersonForm(ReasonForm, UserCreationForm):
    """Of one that is made."""


class PasswordForm(ReasonForm, AdminPasswordChangeForm):
    """Of a password that an administrator sets."""


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


def by_service(description: str, verb: Callable[[Any, User, str], object], **among: Any) -> Any:
    """A bulk action that calls a service with each chosen row, the administrator and the reason.

    Each row and its line in the trail are one transaction; what the service objects to is said, row by row.
    among: looks at rows of this kind only, whatever was chosen.
    """

    @admin.action(description=f"{description}, with a reason")
    def action(panel: Guarded, request: HttpRequest, rows: "QuerySet[Any]") -> None:
        user: Any = request.user
        done = 0
        try:
            why = check_reason(request.POST.get("reason", ""))
        except LabError as error:
            panel.message_user(request, str(error), messages.ERROR)
            return
        for row in rows.filter(**among):
            try:
                with transaction.atomic():
                    act_as(user, why)
                    verb(row, user, why)
                done += 1
            except LabError as error:
                panel.message_user(request, f"{row}: {error}", messages.ERROR)
        panel.message_user(request, f"{done} done.", messages.SUCCESS if done else messages.WARNING)

    return action


class ReadOnly(Guarded):
    """Evidence, and rows that only services write."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class WithReason(Guarded):
    """Plain configuration: every save says why, and the trail names who."""

    form: type[forms.ModelForm] = RowForm

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        act_as(request.user, form.cleaned_data.get("reason", ""))  # type: ignore[arg-type]
        super().save_model(request, obj, form, change)
