"""The states of campaigns, agents, steps and actions, and which may follow which."""

from django.db import models


class CampaignState(models.TextChoices):
    """FROZEN holds every agent at once; STOPPED and FINISHED are final."""

    DRAFT = "draft", "Draft"
    RUNNING = "running", "Running"
    FROZEN = "frozen", "Frozen"
    STOPPED = "stopped", "Stopped"
    FINISHED = "finished", "Finished"


class AgentState(models.TextChoices):
    """What the loop has confirmed, never what somebody asked for; what holds an agent is in its latches."""

    READY = "ready", "Ready"
    THINKING = "thinking", "Thinking"
    ACTING = "acting", "Acting"
    WAITING = "waiting", "Waiting"
    PAUSING = "pausing", "Pausing"
    PAUSED = "paused", "Paused"
    STOPPED = "stopped", "Stopped"
    FINISHED = "finished", "Finished"
    FAILED = "failed", "Failed"


class StepState(models.TextChoices):
    """One observe-think-act round."""

    THINKING = "thinking", "Thinking"
    ACTING = "acting", "Acting"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class ActionState(models.TextChoices):
    """One tool call. INTERRUPTED: it had started when its worker died; it is reported, never repeated."""

    PROPOSED = "proposed", "Proposed"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    INTERRUPTED = "interrupted", "Interrupted"
    CANCELLED = "cancelled", "Cancelled"
    PARKED = "parked", "Waits for approval"


class Effect(models.TextChoices):
    """What a rule of a policy says of a call."""

    ALLOW = "allow", "Allow"
    ASK = "ask", "Ask"
    DENY = "deny", "Deny"


class ApprovalState(models.TextChoices):
    """EXPIRED: nobody answered, or the policy changed; never a refusal. USED: the approved call was begun."""

    PENDING = "pending", "Pending"
    APPROVED = "approved", "Approved"
    REFUSED = "refused", "Refused"
    EXPIRED = "expired", "Expired"
    USED = "used", "Used"
    CANCELLED = "cancelled", "Cancelled"


class LatchKind(models.TextChoices):
    """Who holds an agent; each is set and released on its own."""

    REVIEWER = "reviewer", "Reviewer"
    BUDGET = "budget", "Budget"
    FLAG = "flag", "Flag"
    INCIDENT = "incident", "Incident"


class BudgetKind(models.TextChoices):
    """What may be spent; units: micro-dollars, tokens, seconds, queries."""

    MONEY = "money", "Money"
    TOKENS = "tokens", "Tokens"
    GPU_SECONDS = "gpu_seconds", "GPU seconds"
    EVALUATIONS = "evaluations", "Evaluations"


CAMPAIGN_TRANSITIONS: dict[str, set[str]] = {
    CampaignState.DRAFT: {CampaignState.RUNNING, CampaignState.STOPPED},
    CampaignState.RUNNING: {CampaignState.FROZEN, CampaignState.STOPPED, CampaignState.FINISHED},
    CampaignState.FROZEN: {CampaignState.RUNNING, CampaignState.STOPPED},
    CampaignState.STOPPED: set(),
    CampaignState.FINISHED: set(),
}

_ENDS = {AgentState.STOPPED, AgentState.FINISHED, AgentState.FAILED}
AGENT_TRANSITIONS: dict[str, set[str]] = {
    AgentState.READY: {AgentState.THINKING, AgentState.WAITING, AgentState.PAUSED, *_ENDS},
    # back to READY: its worker died, or the model could not be reached and is asked again later
    AgentState.THINKING: {
        AgentState.ACTING,
        AgentState.READY,
        AgentState.WAITING,
        AgentState.PAUSING,
        AgentState.PAUSED,
        *_ENDS,
    },
    AgentState.ACTING: {AgentState.READY, AgentState.WAITING, AgentState.PAUSING, AgentState.PAUSED, *_ENDS},
    AgentState.WAITING: {AgentState.READY, AgentState.PAUSED, *_ENDS},
    # READY: resumed before the pause was confirmed
    AgentState.PAUSING: {AgentState.PAUSED, AgentState.READY, *_ENDS},
    AgentState.PAUSED: {AgentState.READY, AgentState.STOPPED, AgentState.FINISHED},
    AgentState.FAILED: {AgentState.READY, AgentState.STOPPED},  # a person may send it on
    AgentState.STOPPED: set(),
    AgentState.FINISHED: set(),
}

APPROVAL_TRANSITIONS: dict[str, set[str]] = {
    ApprovalState.PENDING: {
        ApprovalState.APPROVED,
        ApprovalState.REFUSED,
        ApprovalState.EXPIRED,
        ApprovalState.CANCELLED,
    },
    # to EXPIRED: the policy changed before the call was run; to CANCELLED: the agent has ended
    ApprovalState.APPROVED: {ApprovalState.USED, ApprovalState.EXPIRED, ApprovalState.CANCELLED},
    ApprovalState.REFUSED: set(),
    ApprovalState.EXPIRED: set(),
    ApprovalState.USED: set(),
    ApprovalState.CANCELLED: set(),
}

AT_WORK = [AgentState.THINKING, AgentState.ACTING, AgentState.PAUSING]
"""A worker holds these; everything else is only a row."""

CAMPAIGN_ENDED = [CampaignState.STOPPED, CampaignState.FINISHED]
ACTION_FINAL = [ActionState.DONE, ActionState.FAILED, ActionState.INTERRUPTED, ActionState.CANCELLED]
"""What a call came to; a parked one may still be run."""
AGENT_ENDED = [AgentState.STOPPED, AgentState.FINISHED]
