"""Who may do what in oversight: predicates asked by API, pages, commands and the admin panel alike."""

from typing import TYPE_CHECKING

from experiments.permissions import can_view_lab

if TYPE_CHECKING:
    from experiments.permissions import Actor


def can_see_flags(user: "Actor") -> bool:
    """Flags with their evidence: people. An agent learns of its own only number, level and state."""
    return can_view_lab(user)


def can_judge(user: "Actor") -> bool:
    """Raise flags by hand, claim, decide and reopen them; approve and refuse calls."""
    return user.has_perm("experiments.review")


def can_administer(user: "Actor") -> bool:
    """Read the audit trail; set detectors, policies, prices, roles, tokens."""
    return user.has_perm("experiments.administer")
