"""What an agent thought and did: steps, actions, transcript, notebook."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from agents.lifecycle import ACTION_FINAL, ActionState, StepState
from agents.models.agents import Agent
from experiments.triggers import RECORD


class Step(models.Model):
    """One observe-think-act round; written before the model is called, so that a dead worker leaves a trace."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="steps")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=StepState, default=StepState.THINKING)
    attempt = models.PositiveSmallIntegerField(default=1)
    stop_reason = models.CharField(max_length=40, blank=True)
    usage = models.JSONField(default=dict, help_text="Tokens: input, output, cache_read, cache_write")
    cost = models.PositiveBigIntegerField(default=0, help_text="Micro-dollars")
    error = models.TextField(blank=True)
    partial = models.TextField(blank=True, help_text="What a cancelled or broken stream had said")
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["agent", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["agent", "number"], name="step_number_unique"),
            models.CheckConstraint(condition=Q(state__in=StepState.values), name="step_state_known"),
        ]
        triggers: ClassVar = [pgtrigger.Protect(name="step_kept", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"step {self.number} of agent {self.agent_id}"


class Action(models.Model):
    """One tool call of a step."""

    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="actions")
    index = models.PositiveSmallIntegerField()
    call_id = models.CharField(max_length=100, help_text="The model's own name of the call")
    tool = models.CharField(max_length=60)
    arguments = models.JSONField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of agent, tool and canonical arguments")
    state = models.CharField(max_length=12, choices=ActionState, default=ActionState.PROPOSED)
    result = models.TextField(blank=True)
    is_error = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["step", "index"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["step", "index"], name="action_index_unique"),
            models.CheckConstraint(condition=Q(state__in=ActionState.values), name="action_state_known"),
        ]
        triggers: ClassVar = [
            RECORD.final("action", ACTION_FINAL),
            RECORD.fixed("action", "id", "step_id", "index", "call_id", "tool"),
            *RECORD.kept("action"),
        ]

    def __str__(self) -> str:
        return f"{self.tool} of step {self.step_id}"


class Entry(models.Model):
    """One message of the transcript, as the model gets it; append-only.

    content: content blocks of the Messages API. kind "compaction": what stands before it is summed up in it.
    """

    class Kind(models.TextChoices):
        """Where an entry came from."""

        BRIEF = "brief", "Brief"
        NEWS = "news", "News"
        REPLY = "reply", "Reply"
        RESULTS = "results", "Tool results"
        PERSON = "person", "Message from a person"
        COMPACTION = "compaction", "Compaction"

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="entries")
    number = models.PositiveIntegerField()
    role = models.CharField(max_length=10, choices=[("user", "User"), ("assistant", "Assistant")])
    kind = models.CharField(max_length=12, choices=Kind)
    content = models.JSONField()
    step = models.ForeignKey(Step, null=True, on_delete=models.PROTECT, related_name="entries")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["agent", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["agent", "number"], name="entry_number_unique")]
        triggers: ClassVar = RECORD.append_only("entry")

    def __str__(self) -> str:
        return f"entry {self.number} of agent {self.agent_id}"


class Notebook(models.Model):
    """One version of an agent's own memory; every version is kept."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="notebooks")
    version = models.PositiveIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["agent", "-version"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["agent", "version"], name="notebook_version_unique")]
        triggers: ClassVar = RECORD.append_only("notebook")

    def __str__(self) -> str:
        return f"notebook {self.version} of agent {self.agent_id}"
