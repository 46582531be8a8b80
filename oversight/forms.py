"""Filters of the audit page."""

from django import forms

from oversight.selectors.audit import KINDS


class AuditFilter(forms.Form):
    """Everything is optional."""

    kind = forms.ChoiceField(required=False, choices=[("", "Any"), *((each, each) for each in KINDS)])
    actor = forms.CharField(required=False, max_length=150)
    verb = forms.ChoiceField(
        required=False, choices=[("", "Any"), *((each, each) for each in ("made", "changed", "removed"))]
    )
    search = forms.CharField(required=False, max_length=200, label="Words of the reason")
