"""What a person was told, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from notifications.kinds import KINDS, Kind
from notifications.links import link_of
from notifications.models import Choice, Delivery, Notification, Webhook

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_SHOWN = 100
MOST_DELIVERIES = 30


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the list."""

    notification: Notification
    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Wish:
    """One kind with the ways a person chose."""

    name: str
    kind: Kind
    page: bool
    email: bool
    webhook: bool


def unread_count(user: "User") -> int:
    """How many lines of the list are unread."""
    return Notification.objects.filter(user=user, shown=True, read_at__isnull=True).count()


def told(user: "User") -> list[Told]:
    """The newest lines."""
    rows = Notification.objects.filter(user=user, shown=True)[:MOST_SHOWN]
    return [Told(each, link_of(each.subject), KINDS[each.kind].label if each.kind in KINDS else "") for each in rows]


def wishes(user: "User") -> list[Wish]:
    """Every kind this person may be told of."""
    chosen = {each.kind: each for each in Choice.objects.filter(user=user)}
    found = []
    for name, kind in KINDS.items():
        if user.has_perm(f"experiments.{kind.audience}"):
            own = chosen.get(name)
            ways = (own.page, own.email, own.webhook) if own else (kind.page, False, False)
            found.append(Wish(name, kind, *ways))
    return found


def webhook_of(user: "User") -> Webhook | None:
    """Where news are posted to."""
    return Webhook.objects.filter(user=user).first()


def deliveries_of(user: "User") -> Sequence[Delivery]:
    """The log: the newest attempts."""
    return list(Delivery.objects.filter(notification__user=user).select_related("notification")[:MOST_DELIVERIES])
