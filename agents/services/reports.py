"""What outside agents say about their own work: shown live, believed by nobody."""

from django.db import transaction

from agents.models import Agent
from agents.services.writes import begin_write
from experiments import events
from experiments.guard import Call
from experiments.models import Event


@transaction.atomic
def report(*, agent: Agent, kind: str, text: str, tool: str = "") -> Event:
    """One event in the campaign's log, marked as self-reported. kind: message, tool_call or tool_result.

    Raises: Held, Refused.
    """
    agent = begin_write(agent.pk, Call("report", {"kind": kind, "text": text, "tool": tool}))
    payload = {
        "campaign": agent.campaign_id, "agent": agent.pk, "name": agent.name, "text": text.replace("\x00", ""),
        "tool": tool, "self_reported": True,
    }  # fmt: skip
    return events.record(
        f"report.{kind}", f"agent:{agent.pk}", actor=agent.user, campaign=agent.campaign_id, payload=payload
    )
