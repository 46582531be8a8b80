"""What a person has not read yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef

from forum.models import Finding, Reader, ReadMark

if TYPE_CHECKING:
    from django.contrib.auth.models import User

COUNT_LIMIT = 99  # beyond it the page says "99+"


@dataclass(frozen=True, slots=True)
class Unread:
    """What of a list is unread: findings never opened, and findings with comments since they were."""

    findings: frozenset[int]
    commented: frozenset[int]


def unread_of(reader: Reader, findings: Sequence[Finding]) -> Unread:
    """Needs the findings' tallies. One's own findings and the comments one has seen never count."""
    marks = dict(
        ReadMark.objects.filter(user_id=reader.pk, finding__in=[each.pk for each in findings]).values_list(
            "finding_id", "comment"
        )
    )
    new = {
        each.pk
        for each in findings
        if each.pk > reader.finding and each.pk not in marks and each.author_id != reader.pk
    }
    commented = {
        each.pk
        for each in findings
        if each.pk not in new and each.tally.last_comment > max(reader.comment, marks.get(each.pk, 0))
    }
    return Unread(frozenset(new), frozenset(commented))


def unread_count(user: "User", reader: Reader) -> int:
    """Findings never opened, up to COUNT_LIMIT + 1."""
    opened = ReadMark.objects.filter(user=user, finding=OuterRef("pk"))
    new = Finding.objects.visible_to(user).filter(pk__gt=reader.finding).exclude(author=user)
    return new.filter(~Exists(opened)).order_by()[: COUNT_LIMIT + 1].count()
