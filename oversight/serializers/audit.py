"""The audit trail, as the API shows it."""

from typing import Any

from rest_framework import serializers

from experiments.serializers.fields import Choice, PageQuery
from oversight.selectors.audit import KINDS


class AuditQuery(PageQuery):
    """Filters of the trail."""

    kind = Choice(choices=[(each, each) for each in KINDS], required=False)
    subject = serializers.CharField(required=False, max_length=60, help_text='Such as "price:3"')
    actor = serializers.CharField(required=False, max_length=150)
    verb = Choice(choices=[(each, each) for each in ("made", "changed", "removed")], required=False)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    search = serializers.CharField(required=False, max_length=200, help_text="Words of the reason")


class AuditFacts(serializers.Serializer[Any]):
    """One change."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField(source="actor_name", allow_blank=True, help_text="Empty: nobody the lab knows")
    verb = serializers.CharField()
    subject = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    origin = serializers.CharField(help_text="Database role, address and application")
    digest = serializers.CharField()
    previous = serializers.CharField()
