"""Agents, their transcripts, and what people do to them."""

from typing import Any

from rest_framework import serializers

from agents.lifecycle import AgentState, LatchKind
from agents.models.agents import RESEARCHERS
from agents.serializers.budgets import BudgetInput
from experiments.serializers.fields import Choice, Input, PageQuery, ReasonInput

LONGEST = 20_000  # characters of a brief or a message


class AgentInput(Input):
    """One agent of a new campaign."""

    researcher = Choice(choices=RESEARCHERS)
    model = serializers.CharField(required=False, default="", allow_blank=True, max_length=80)
    direction = serializers.CharField(max_length=60, help_text="A ready direction, or a name of one's own with a brief")
    brief = serializers.CharField(required=False, default="", allow_blank=True, max_length=LONGEST)
    name = serializers.RegexField(
        r"^[\w.\-]*$", required=False, default="", allow_blank=True, max_length=80, help_text="Unique in the campaign"
    )
    budget = BudgetInput(required=False, default=dict)


class LatchFacts(serializers.Serializer[Any]):
    """What holds an agent."""

    kind = Choice(choices=LatchKind.choices)
    now = serializers.BooleanField(help_text="Cancelled what was in flight, too")
    reason = serializers.CharField()
    since = serializers.DateTimeField(source="set_at")
    confirmed_at = serializers.DateTimeField(allow_null=True, help_text="When nothing of the agent's ran any more")


class AgentFacts(serializers.Serializer[Any]):
    """One agent: the state the loop has confirmed, and what holds it."""

    id = serializers.IntegerField(source="pk")
    campaign = serializers.IntegerField(source="campaign_id")
    name = serializers.CharField()
    username = serializers.CharField(source="user.username")
    researcher = Choice(choices=RESEARCHERS)
    model = serializers.CharField()
    direction = serializers.CharField()
    brief = serializers.CharField()
    state = Choice(choices=AgentState.choices)
    state_since = serializers.DateTimeField()
    doing = serializers.CharField()
    error = serializers.CharField()
    wake_at = serializers.DateTimeField(allow_null=True)
    waits_for = serializers.ListField(child=serializers.IntegerField())
    steps_done = serializers.IntegerField()
    latches = LatchFacts(many=True, source="open_latches")


class AgentQuery(PageQuery):
    """Which agents."""

    campaign = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    state = Choice(choices=AgentState.choices, required=False)


class PauseInput(ReasonInput):
    """A pause."""

    now = serializers.BooleanField(required=False, default=False, help_text="Cancel the call in flight, too")


class ResumeInput(ReasonInput):
    """A resume."""

    add_budget = BudgetInput(required=False, default=dict)
    latches = serializers.ListField(
        child=Choice(choices=LatchKind.choices), required=False, default=list,
        help_text="Which to release; left out: the reviewer's and the budget's",
    )  # fmt: skip


class MessageInput(Input):
    """Something to say to an agent."""

    message = serializers.CharField(max_length=10_000)


class EntryFacts(serializers.Serializer[Any]):
    """One message of a transcript."""

    number = serializers.IntegerField()
    role = serializers.CharField()
    kind = serializers.CharField()
    content = serializers.JSONField(help_text="Blocks of the Messages API")
    step = serializers.IntegerField(source="step.number", default=None, allow_null=True)
    created_at = serializers.DateTimeField()


class TranscriptQuery(Input):
    """Where to go on."""

    after = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 1)
    page_size = serializers.IntegerField(required=False, default=50, min_value=1, max_value=200)


class TranscriptPage(serializers.Serializer[Any]):
    """Messages after a number, oldest first."""

    results = EntryFacts(many=True)
    next = serializers.URLField(allow_null=True)
