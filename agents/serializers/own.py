"""What an agent writes and reads of its own: notebook, news, reports, its end."""

from typing import Any

from rest_framework import serializers

from experiments.serializers.fields import Choice, Input

REPORTS = [("message", "Message"), ("tool_call", "Tool call"), ("tool_result", "Tool result")]


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
