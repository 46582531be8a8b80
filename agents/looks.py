"""How the states of campaigns, agents, steps and actions look: one glyph and one tone each, derived from lifecycle."""

from agents.lifecycle import ActionState, AgentState, ApprovalState, CampaignState, LatchKind
from experiments.looks import Look

_TONES = {
    "draft": ("○", ""),
    "running": ("◐", "active"),
    "frozen": ("❄", "warn"),
    "stopped": ("■", "bad"),
    "finished": ("●", "good"),
    "ready": ("○", ""),
    "thinking": ("◔", "active"),
    "acting": ("◑", "active"),
    "waiting": ("…", ""),
    "pausing": ("‖", "warn"),
    "paused": ("‖", "warn"),
    "failed": ("✕", "bad"),
    "proposed": ("○", ""),
    "done": ("✓", "good"),
    "interrupted": ("!", "warn"),
    "cancelled": ("–", ""),
    "parked": ("?", "warn"),
    "pending": ("?", "warn"),
    "approved": ("✓", "good"),
    "refused": ("✕", "bad"),
    "expired": ("–", "warn"),
    "used": ("✓", "good"),
    "reviewer": ("‖", "warn"),
    "budget": ("$", "warn"),
    "flag": ("⚑", "bad"),
    "incident": ("!", "bad"),
}

LOOKS: dict[str, Look] = {
    str(value): Look(str(label), *_TONES[str(value)])
    for choices in (CampaignState, AgentState, ActionState, ApprovalState, LatchKind)
    for value, label in choices.choices
}
