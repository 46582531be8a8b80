"""Campaigns and their agents, as the API takes and shows them."""

from typing import Any

from rest_framework import serializers

from agents.lifecycle import AgentState, BudgetKind, CampaignState, LatchKind
from agents.models.agents import RESEARCHERS
from agents.presets import COSTLY_GPU_SECONDS, MOST_SECONDS, PRESET_CHOICES
from agents.services.budgets import MICRO
from experiments.serializers.fields import Choice, Input, PageQuery, ReasonInput
from experiments.texts import LONGEST_REASON

MOST_MONEY = 10_000_000  # dollars
LONGEST = 20_000
REPORTS = [("message", "Message"), ("tool_call", "Tool call"), ("tool_result", "Tool result")]


class BudgetInput(Input):
    """Limits; what is left out has none."""

    money = serializers.DecimalField(
        required=False, max_digits=13, decimal_places=6, min_value=0, max_value=MOST_MONEY, help_text="Dollars"
    )
    tokens = serializers.IntegerField(required=False, min_value=0, max_value=2**53)
    gpu_seconds = serializers.IntegerField(required=False, min_value=0, max_value=2**40)
    evaluations = serializers.IntegerField(required=False, min_value=0, max_value=2**31)


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


class PolicyInput(Input):
    """Rules of what agents may do by themselves; the first that fits decides. Or a preset's name in their place."""

    rules = serializers.ListField(
        required=False, allow_null=True, default=None, child=serializers.DictField(),
        help_text="{effect: allow|ask|deny, tool, arguments: {path: pattern}, cost_above: {kind: amount}, first_code}",
    )  # fmt: skip
    preset = Choice(
        choices=PRESET_CHOICES, required=False, default="", allow_blank=True,
        help_text="Asks a person where the lab's rules, as they are now, would let a call run",
    )  # fmt: skip
    ask_above = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=0, max_value=MOST_SECONDS,
        help_text=f"GPU seconds, with the preset costly; left out: {COSTLY_GPU_SECONDS}",
    )  # fmt: skip
    hold_flags = serializers.BooleanField(required=False, default=False, help_text="A detector's flag holds")
    approval_seconds = serializers.IntegerField(required=False, default=86_400, min_value=60, max_value=2_592_000)


class PolicyChange(PolicyInput):
    """A new version."""

    reason = serializers.CharField(max_length=LONGEST_REASON)


class PolicyFacts(serializers.Serializer[Any]):
    """The rules in force."""

    id = serializers.IntegerField()
    campaign = serializers.IntegerField(source="campaign_id", allow_null=True, help_text="Null: the lab's default")
    version = serializers.IntegerField()
    rules = serializers.ListField(child=serializers.DictField())
    hold_flags = serializers.BooleanField()
    approval_seconds = serializers.IntegerField()
    reason = serializers.CharField()
    made_by = serializers.CharField(source="made_by.username", default=None, allow_null=True)
    created_at = serializers.DateTimeField()


class CampaignInput(Input):
    """A new campaign; nothing runs before it is started."""

    name = serializers.CharField(max_length=120)
    brief = serializers.CharField(required=False, default="", allow_blank=True, max_length=LONGEST)
    benchmarks = serializers.ListField(child=serializers.CharField(max_length=50), min_length=1, max_length=50)
    agents = serializers.ListField(child=AgentInput(), min_length=1, max_length=1000)
    budget = BudgetInput(required=False, default=dict)
    deadline = serializers.DateTimeField(required=False, allow_null=True, default=None)
    policy = PolicyInput(required=False, allow_null=True, default=None)


class EstimateInput(CampaignInput):
    """A campaign that is only thought of: what it would take."""

    name = serializers.CharField(required=False, default="", allow_blank=True, max_length=120)


class EstimateQuery(Input):
    """Of which campaign that has been made already."""

    campaign = serializers.IntegerField(min_value=1, max_value=2**63 - 1)


class RangeFacts(serializers.Serializer[Any]):
    """A low and a high guess."""

    low = serializers.FloatField()
    high = serializers.FloatField()


class ProblemFacts(serializers.Serializer[Any]):
    """What keeps it from starting."""

    pointer = serializers.CharField()
    detail = serializers.CharField()


class EstimateFacts(serializers.Serializer[Any]):
    """What a campaign would take, each range cut at its limits."""

    agents = serializers.IntegerField()
    money = RangeFacts(allow_null=True, help_text="Micro-dollars; null where a model has no price")
    most_money = serializers.IntegerField(allow_null=True, help_text="The money budget; null without one")
    tokens = RangeFacts()
    gpu_seconds = RangeFacts()
    experiments = RangeFacts()
    seconds = RangeFacts(help_text="From start to end")
    basis = serializers.ListField(child=serializers.CharField(), help_text="What each number rests on")
    limits = serializers.ListField(child=serializers.CharField(), help_text="What ends it before the high guess")
    problems = ProblemFacts(many=True)


class BudgetFacts(serializers.Serializer[Any]):
    """One limit. Money is in micro-dollars."""

    whose = serializers.CharField(help_text="campaign or agent")
    kind = Choice(choices=BudgetKind.choices)
    limit = serializers.IntegerField()
    spent = serializers.IntegerField()
    reserved = serializers.IntegerField(help_text="Held for calls in flight")
    left = serializers.IntegerField()


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


class CampaignFacts(serializers.Serializer[Any]):
    """One campaign."""

    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    brief = serializers.CharField()
    state = Choice(choices=CampaignState.choices)
    reason = serializers.CharField()
    benchmarks = serializers.ListField(child=serializers.CharField(), source="benchmark_slugs")
    created_by = serializers.CharField(source="created_by.username")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    deadline = serializers.DateTimeField(allow_null=True)


class CampaignDetail(CampaignFacts):
    """One campaign with its agents and budgets."""

    agents = AgentFacts(many=True, source="shown_agents")
    budgets = BudgetFacts(many=True, source="shown_budgets")


class EntryFacts(serializers.Serializer[Any]):
    """One message of a transcript."""

    number = serializers.IntegerField()
    role = serializers.CharField()
    kind = serializers.CharField()
    content = serializers.JSONField(help_text="Blocks of the Messages API")
    step = serializers.IntegerField(source="step.number", default=None, allow_null=True)
    created_at = serializers.DateTimeField()


class TranscriptPage(serializers.Serializer[Any]):
    """Messages after a number, oldest first."""

    results = EntryFacts(many=True)
    next = serializers.URLField(allow_null=True)


class OptionalWhyInput(Input):
    """Why, if there is something to say."""

    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=LONGEST_REASON)


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


class CampaignQuery(PageQuery):
    """Which campaigns."""

    state = Choice(choices=CampaignState.choices, required=False)


class ExportQuery(Input):
    """What goes into the file."""

    holdout = serializers.BooleanField(
        required=False, default=False, help_text="With scores on the holdout split, for people who may see them"
    )


class AgentQuery(PageQuery):
    """Which agents."""

    campaign = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    state = Choice(choices=AgentState.choices, required=False)


class TranscriptQuery(Input):
    """Where to go on."""

    after = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 1)
    page_size = serializers.IntegerField(required=False, default=50, min_value=1, max_value=200)


class NotebookInput(Input):
    """The whole new text."""

    body = serializers.CharField(allow_blank=True, max_length=50_000, trim_whitespace=False)


class NotebookFacts(serializers.Serializer[Any]):
    """The latest version; version 0 is an empty notebook."""

    version = serializers.IntegerField()
    body = serializers.CharField()
    created_at = serializers.DateTimeField(allow_null=True)


class NewsQuery(Input):
    """Since when."""

    since = serializers.CharField(
        required=False, default="", max_length=80, help_text="`since` of an earlier answer; left out: everything"
    )


class PersonSaid(serializers.Serializer[Any]):
    """A message from a person."""

    number = serializers.IntegerField(help_text="Its place in the transcript")
    text = serializers.CharField()


class NewsFacts(serializers.Serializer[Any]):
    """What is new for an agent."""

    text = serializers.CharField(help_text="Own experiments that have ended, findings of others; empty if none")
    messages = PersonSaid(many=True)
    since = serializers.CharField(help_text="To ask with next time")


class FinishInput(Input):
    """Why now."""

    summary = serializers.CharField(max_length=5_000, help_text="What was found, in a few sentences")


class ReportInput(Input):
    """An outside agent's own activity, shown in the live stream as self-reported."""

    kind = Choice(choices=REPORTS)
    text = serializers.CharField(max_length=20_000)
    tool = serializers.CharField(required=False, default="", allow_blank=True, max_length=60)


class ReportFacts(serializers.Serializer[Any]):
    """Its number in the campaign's log."""

    number = serializers.IntegerField()


def amounts(given: dict[str, Any]) -> dict[str, int]:
    """Budgets as the services take them: money in micro-dollars."""
    return {kind: int(value * MICRO) if kind == BudgetKind.MONEY else int(value) for kind, value in given.items()}
