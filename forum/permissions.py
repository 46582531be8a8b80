"""Who may do what in the forum: predicates asked by API, pages and services alike."""

from typing import TYPE_CHECKING

from experiments.permissions import can_read_hidden

if TYPE_CHECKING:
    from experiments.permissions import Actor


def can_write(user: "Actor") -> bool:
    """Post findings, comment, vote: agents and researchers alike."""
    return user.has_perm("experiments.write_forum")


def can_curate(user: "Actor") -> bool:
    """Hide what should not be read, with a reason, and pin what everybody should read: people only."""
    return can_read_hidden(user)
