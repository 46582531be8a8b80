"""Probes, as the API shows them: how far they are, not what they measured, of which the flags tell."""

from typing import Any

from rest_framework import serializers

from experiments.lifecycle import ProbeKind, ProbeState
from experiments.serializers.fields import Choice, Input
from oversight.services.probes import ALL


class ProbeInput(Input):
    """What is to be changed when seeds are run again."""

    kinds = serializers.ListField(
        child=Choice(choices=ProbeKind.choices), required=False, default=list(ALL), min_length=1, max_length=len(ALL)
    )


class ProbeFacts(serializers.Serializer[Any]):
    """One probe."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ProbeKind.choices)
    state = serializers.ChoiceField(choices=ProbeState.choices)
    seeds = serializers.IntegerField(help_text="How many of the experiment's runs are repeated")
    requested_by = serializers.CharField(source="requested_by.username", allow_null=True, default=None)
    attempt = serializers.IntegerField()
    error = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ProbeList(serializers.Serializer[Any]):
    """Every probe of one experiment, newest first."""

    results = ProbeFacts(many=True)
