"""What a person chooses: which kinds, by which ways, and where to."""

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from experiments.errors import Forbidden, InvalidInput
from experiments.permissions import can_view_lab
from notifications.kinds import KINDS
from notifications.models import Choice, Notification, Webhook
from notifications.webhooks import BadAddress, check_url, resolve

if TYPE_CHECKING:
    from django.contrib.auth.models import User

WAYS = ("page", "email", "webhook")


@transaction.atomic
def choose(*, user: "User", wanted: Mapping[str, set[str]]) -> None:
    """wanted: ways by kind; a kind that is left out is not told at all. Raises: Forbidden, InvalidInput."""
    if not can_view_lab(user):
        raise Forbidden("notifications are for people who may view the lab")
    for kind, ways in wanted.items():
        if kind not in KINDS or not ways <= set(WAYS):
            raise InvalidInput(f"{kind}: expected one of {', '.join(KINDS)}, by {', '.join(WAYS)}", pointer=f"#/{kind}")
    for kind in KINDS:
        chosen = {way: way in wanted.get(kind, set()) for way in WAYS}
        Choice.objects.update_or_create(user=user, kind=kind, defaults=chosen)


@transaction.atomic
def set_webhook(*, user: "User", url: str) -> Webhook | None:
    """Where this person's news are posted; a new address gets a new secret. Empty: nowhere any more.

    Raises: Forbidden; InvalidInput for an address that nothing is sent to.
    """
    if not can_view_lab(user):
        raise Forbidden("notifications are for people who may view the lab")
    if not url.strip():
        Webhook.objects.filter(user=user).delete()
        return None
    if len(url) > 500:
        raise InvalidInput("has more than 500 characters", pointer="#/url")
    try:
        host, port, _, _ = check_url(url.strip())
        resolve(host, port)
    except BadAddress as error:
        raise InvalidInput(str(error), pointer="#/url") from error
    except OSError as error:
        raise InvalidInput(f"the host was not found: {error}", pointer="#/url") from error
    values = {"url": url.strip(), "secret": secrets.token_hex(32), "changed_at": timezone.now()}
    made, _ = Webhook.objects.update_or_create(user=user, defaults=values)
    return made


def read_all(*, user: "User", up_to: int) -> None:
    """Everything up to a number counts as read."""
    unread = Notification.objects.filter(user=user, read_at__isnull=True, pk__lte=up_to)
    unread.update(read_at=timezone.now())
