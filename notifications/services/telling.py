"""From an event to the people who want to know, in the event's own transaction."""

import logging
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet

from experiments.models import Event
from notifications import dispatch
from notifications.kinds import HEARD, KINDS, kind_of, sentence
from notifications.models import Channel, Choice, Delivery, Notification, Webhook

log = logging.getLogger(__name__)


def on_event(event: Event) -> None:
    """Rows for whoever is to be told; whoever did it is not told. What goes wrong here must not undo what happened."""
    if event.kind not in HEARD:
        return
    try:
        with transaction.atomic():
            kind = kind_of(event)
            if kind:
                _tell(kind, event)
    except DatabaseError:
        log.exception("nobody was told of event %s", event.pk)


def audience(kind: str) -> QuerySet[Any]:
    """Active people whose role may know of it: never agents."""
    needs = {"view_lab", KINDS[kind].audience}
    people = get_user_model().objects.filter(is_active=True)
    for codename in needs:
        people = people.filter(Q(is_superuser=True) | Q(groups__permissions__codename=codename))
    return people.exclude(groups__name="agent").distinct()


def _tell(kind: str, event: Event) -> None:
    people = {each.pk: each for each in audience(kind) if each.pk != event.actor_id}
    chosen = {each.user_id: each for each in Choice.objects.filter(kind=kind, user__in=people)}
    hooked = set(Webhook.objects.filter(user__in=people).values_list("user", flat=True))
    text = sentence(kind, event)
    for key, person in people.items():
        choice = chosen.get(key)
        page = choice.page if choice else KINDS[kind].page
        channels = []
        if choice and choice.email and person.email:
            channels.append(Channel.EMAIL)
        if choice and choice.webhook and key in hooked:
            channels.append(Channel.WEBHOOK)
        if page or channels:
            made = Notification.objects.create(
                user=person, kind=kind, event=event.pk, text=text, subject=event.subject, shown=page
            )
            for channel in channels:
                delivery = Delivery.objects.create(notification=made, channel=channel)
                transaction.on_commit(partial(dispatch.wake, delivery.pk), robust=True)
