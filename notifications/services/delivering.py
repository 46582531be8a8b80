"""Sends what waits: claimed by a guarded update, tried outside of any transaction, tried again later if it fails."""

import http.client
import json
import logging
import smtplib
from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import F
from django.utils import timezone

from notifications import dispatch
from notifications.links import link_of
from notifications.models import Channel, Delivery, DeliveryState, Webhook
from notifications.webhooks import BadAddress, post

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 8
FIRST_WAIT_SECONDS = 30  # then twice as long each time: the last attempt comes after about an hour
CLAIM_SECONDS = 60  # longer than an attempt may take; then the reaper takes it for lost
MOST_WOKEN = 200


class Refused(Exception):
    """It will not be sent, however often it is tried."""


def deliver(*, delivery_id: int) -> None:
    """One attempt, if it is due; a message that comes twice finds the row claimed."""
    now = timezone.now()
    due = Delivery.objects.filter(pk=delivery_id, state=DeliveryState.WAITING, next_at__lte=now)
    if not due.update(next_at=now + timedelta(seconds=CLAIM_SECONDS), attempts=F("attempts") + 1):
        return
    row = Delivery.objects.select_related("notification__user").get(pk=delivery_id)
    if row.attempts > MOST_ATTEMPTS:
        _settle(row, DeliveryState.FAILED, row.answer or "every attempt was interrupted")
        return
    try:
        answer = _SENDERS[Channel(row.channel)](row)
    except (BadAddress, Refused) as error:
        _settle(row, DeliveryState.FAILED, str(error))
    except (OSError, http.client.HTTPException, smtplib.SMTPException) as error:
        _later(row, f"{type(error).__name__}: {error}")
    else:
        _settle(row, DeliveryState.SENT, answer)


def reap() -> None:
    """Wake what is due: retries, and what a lost message or a dead worker left behind."""
    due = Delivery.objects.filter(state=DeliveryState.WAITING, next_at__lte=timezone.now()).order_by("next_at")
    for key in due.values_list("pk", flat=True)[:MOST_WOKEN]:
        dispatch.wake(key)


def wait_seconds(attempts: int) -> int:
    """How long to wait after that many attempts."""
    return int(FIRST_WAIT_SECONDS * 2 ** (attempts - 1))


def _send_email(row: Delivery) -> str:
    told = row.notification
    if not told.user.email or not told.user.is_active:
        raise Refused("the account has no e-mail address any more")
    text = f"{told.text}\n\n{settings.PUBLIC_URL}{link_of(told.subject)}\n"
    send_mail(f"[aarweb] {told.text[:150]}", text, None, [told.user.email])
    return "handed to the mail server"


def _send_webhook(row: Delivery) -> str:
    told = row.notification
    hook = Webhook.objects.filter(user=told.user).first()
    if hook is None or not told.user.is_active:
        raise Refused("the webhook is gone")
    moment = int(timezone.now().timestamp())
    status = post(hook.url, body=payload(row), secret=hook.secret, delivery=row.pk, moment=moment)
    if not 200 <= status < 300:
        raise OSError(f"the address answered {status}")
    return f"answered {status}"


def payload(row: Delivery) -> bytes:
    """What is signed and sent, the same bytes at every attempt.

    ASCII alone, other characters as \\u escapes: whatever a receiver or something between takes for its encoding, it
    checks the bytes that were signed.
    """
    told = row.notification
    body = {
        "id": row.pk,
        "kind": told.kind,
        "text": told.text,
        "subject": told.subject,
        "url": settings.PUBLIC_URL + link_of(told.subject),
        "created_at": told.created_at.isoformat(),
    }
    return json.dumps(body, ensure_ascii=True).encode("ascii")


_SENDERS = {Channel.EMAIL: _send_email, Channel.WEBHOOK: _send_webhook}


def _settle(row: Delivery, state: str, answer: str) -> None:
    sent_at = timezone.now() if state == DeliveryState.SENT else None
    waiting = Delivery.objects.filter(pk=row.pk, state=DeliveryState.WAITING)
    waiting.update(state=state, answer=answer[:300], sent_at=sent_at)


def _later(row: Delivery, answer: str) -> None:
    if row.attempts >= MOST_ATTEMPTS:
        _settle(row, DeliveryState.FAILED, answer)
        return
    next_at = timezone.now() + timedelta(seconds=wait_seconds(row.attempts))
    Delivery.objects.filter(pk=row.pk, state=DeliveryState.WAITING).update(next_at=next_at, answer=answer[:300])
