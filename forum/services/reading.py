"""Remembers what a person has read."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max

from forum.models import Comment, Finding, Reader, ReadMark

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def open_reader(*, user: "User") -> Reader:
    """The person's reading position; on the first visit all there is counts as read: nobody starts with a backlog."""
    known = Reader.objects.filter(pk=user.pk).first()
    if known is not None:
        return known
    return Reader.objects.get_or_create(pk=user.pk, defaults=_newest())[0]


def mark_read(*, user: "User", finding_id: int, last_comment: int) -> None:
    """The person has seen this finding and its comments up to `last_comment`."""
    mine = {"user": user, "finding_id": finding_id}
    _, created = ReadMark.objects.get_or_create(**mine, defaults={"comment": last_comment})
    if not created:  # never back: an earlier page, or a tab that was opened long ago, unreads nothing
        ReadMark.objects.filter(**mine, comment__lt=last_comment).update(comment=last_comment)


@transaction.atomic
def mark_all_read(*, user: "User") -> None:
    """Everything there is now counts as read."""
    Reader.objects.update_or_create(pk=user.pk, defaults=_newest())
    ReadMark.objects.filter(user=user).delete()


def _newest() -> dict[str, int]:
    last = Finding.objects.aggregate(key=Max("pk"))["key"] or 0
    return {"finding": last, "comment": Comment.objects.aggregate(key=Max("pk"))["key"] or 0}
