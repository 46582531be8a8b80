"""Who wants to be told of what and how, what they were told, and how it was delivered."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

_USER = settings.AUTH_USER_MODEL


class Channel(models.TextChoices):
    """Ways out of the lab; the page needs no delivery."""

    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Webhook"


class DeliveryState(models.TextChoices):
    """WAITING is tried until it is SENT, or FAILED after the last attempt."""

    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"


class Choice(models.Model):
    """How a person wants to be told of one kind; without a row the kind's default holds."""

    user = models.ForeignKey(_USER, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    page = models.BooleanField()
    email = models.BooleanField()
    webhook = models.BooleanField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "kind"], name="choice_once")]

    def __str__(self) -> str:
        return f"{self.kind} for {self.user_id}"


class Webhook(models.Model):
    """Where a person's news are posted to, signed with a secret that both know."""

    user = models.OneToOneField(_USER, primary_key=True, on_delete=models.CASCADE, related_name="+")
    url = models.URLField(max_length=500)
    secret = models.CharField(max_length=64)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"webhook of {self.user_id}"


class Notification(models.Model):
    """One piece of news for one person. shown: in the page."""

    user = models.ForeignKey(_USER, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=20)
    event = models.PositiveBigIntegerField(help_text="Id of the event's row")
    text = models.CharField(max_length=300)
    subject = models.CharField(max_length=60, help_text='Such as "finding:12"')
    shown = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "event"], name="notification_once")]
        indexes: ClassVar = [
            models.Index(fields=["user"], condition=Q(read_at__isnull=True, shown=True), name="notification_unread")
        ]

    def __str__(self) -> str:
        return self.text


class Delivery(models.Model):
    """One notification on its way out; the row is the message, tasks only wake it up."""

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=8, choices=Channel)
    state = models.CharField(max_length=8, choices=DeliveryState, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now, help_text="Not tried again before")
    answer = models.CharField(max_length=300, blank=True, help_text="What the last attempt came to")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["notification", "channel"], name="delivery_once"),
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="delivery_state_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["next_at"], condition=Q(state="waiting"), name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.channel} of notification {self.notification_id}: {self.state}"
