"""Who may do what with campaigns and agents: predicates asked by API, pages and commands alike."""

from typing import TYPE_CHECKING

from experiments.permissions import can_view_lab

if TYPE_CHECKING:
    from experiments.permissions import Actor

__all__ = ["can_message", "can_review", "can_run_campaigns", "can_set_lab_policy", "can_view_lab"]


def can_run_campaigns(user: "Actor") -> bool:
    """Make, start, freeze, thaw, stop campaigns: it is their money."""
    return user.has_perm("experiments.run_campaign")


def can_review(user: "Actor") -> bool:
    """Pause, resume and stop any agent, freeze any campaign."""
    return user.has_perm("experiments.review")


def can_set_lab_policy(user: "Actor") -> bool:
    """Say what agents may do by themselves where a campaign has no rules of its own."""
    return user.has_perm("experiments.administer")


def can_message(user: "Actor") -> bool:
    """Say something to an agent: whoever runs campaigns or reviews them."""
    return can_run_campaigns(user) or can_review(user)
