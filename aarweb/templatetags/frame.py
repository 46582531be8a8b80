"""The main navigation: which pages there are, and which one this is."""

from typing import TYPE_CHECKING, Any, NamedTuple

from django import template
from django.urls import reverse

from experiments.permissions import can_see_studies
from oversight.permissions import can_judge
from oversight.selectors.inbox import waiting_count

if TYPE_CHECKING:
    from django.contrib.auth.models import User

register = template.Library()

_PAGES = (
    ("home", "Dashboard"),
    ("campaigns", "Campaigns"),
    ("experiments", "Experiments"),
    ("leaderboard", "Leaderboard"),
    ("transfer", "Transfer"),
    ("benchmarks", "Benchmarks"),
    ("forum", "Forum"),
    ("ideas", "Ideas"),
    ("inbox", "Inbox"),
    ("methods", "Methods"),
    ("workers", "Workers"),
)


class NavItem(NamedTuple):
    """One entry; `current` while the visitor is on it or below it. waiting: None where nothing can wait."""

    url: str
    label: str
    current: bool
    waiting: int | None


@register.simple_tag
def role_of(user: "User") -> str:
    """The role's name, on error pages too; "none" without one."""
    return user.groups.values_list("name", flat=True).first() or "none"


@register.simple_tag(takes_context=True)
def nav_items(context: dict[str, Any]) -> list[NavItem]:
    """The entries in their order."""
    here, user = context["request"].path, context["request"].user
    closed = {"inbox": not can_judge(user), "transfer": not can_see_studies(user)}
    entries = [(reverse(name), label, name) for name, label in _PAGES if not closed.get(name)]
    return [
        NavItem(
            url,
            label,
            current=here == url if url == "/" else here.startswith(url),
            waiting=waiting_count(user) if name == "inbox" else None,
        )
        for url, label, name in entries
    ]
