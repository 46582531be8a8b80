"""What people do to what others wrote: take it out of sight with a reason, or put it on top; the text stays."""

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from experiments.errors import Forbidden, NotFound
from experiments.texts import check_reason
from forum.models import Comment, Finding, Hide, Pin
from forum.permissions import can_curate
from forum.services.news import tell
from forum.services.posting import finding_for

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@transaction.atomic
def hide(*, user: "User", reason: str, finding_id: int | None = None, comment_id: int | None = None) -> Hide:
    """Takes a finding, or one comment, out of everybody's sight but the curators'. Hiding twice keeps the first reason.

    Exactly one of finding_id and comment_id is given. Raises: NotFound, Forbidden, InvalidInput.
    """
    finding, target = _target(user, finding_id, comment_id)
    why = check_reason(reason)
    standing: Hide | None = Hide.objects.standing().filter(**target).first()
    if standing is not None:
        return standing
    try:
        with transaction.atomic():
            made = Hide.objects.create(hidden_by=user, reason=why, **target)
    except IntegrityError:  # another curator was faster
        faster: Hide = Hide.objects.standing().get(**target)
        return faster
    _tell("hidden", user, finding, target, reason=why)
    return made


@transaction.atomic
def unhide(*, user: "User", reason: str, finding_id: int | None = None, comment_id: int | None = None) -> None:
    """Shows it again; the hide stays as a record, with who lifted it and why. Lifting twice is harmless.

    Raises: NotFound, Forbidden, InvalidInput.
    """
    finding, target = _target(user, finding_id, comment_id)
    why = check_reason(reason)
    lifted = {"lifted_by": user, "lifted_at": timezone.now(), "lift_reason": why}
    if Hide.objects.standing().filter(**target).update(**lifted):
        _tell("shown", user, finding, target, reason=why)


@transaction.atomic
def pin(*, user: "User", finding_id: int) -> Pin:
    """Puts a finding on top of the list; pinning twice is harmless. Raises: NotFound, Forbidden."""
    finding, target = _target(user, finding_id, None)
    made, created = Pin.objects.get_or_create(**target, removed_at=None, defaults={"pinned_by": user})
    if created:
        _tell("pinned", user, finding, target)
    return made


@transaction.atomic
def unpin(*, user: "User", finding_id: int) -> None:
    """Takes it off again; doing it twice is harmless. Raises: NotFound, Forbidden."""
    finding, target = _target(user, finding_id, None)
    standing = Pin.objects.filter(**target, removed_at__isnull=True)
    if standing.update(removed_by=user, removed_at=timezone.now()):
        _tell("unpinned", user, finding, target)


def _target(user: "User", finding_id: int | None, comment_id: int | None) -> tuple[Finding, dict[str, Any]]:
    """The finding that is spoken of, and the column that names what is meant; what this user may not see is absent."""
    if (finding_id is None) == (comment_id is None):
        raise TypeError("give finding_id or comment_id")
    target: dict[str, Any]
    if comment_id is not None:
        said = _comment_for(user, comment_id)
        finding, target = said.finding, {"comment": said}
    else:
        finding = finding_for(user, finding_id or 0)
        target = {"finding": finding}
    if not can_curate(user):
        raise Forbidden("this account may neither hide nor pin")
    return finding, target


def _comment_for(user: "User", comment_id: int) -> Comment:
    visible = Comment.objects.filter(finding__in=Finding.objects.visible_to(user)).select_related("finding")
    found = visible.filter(pk=comment_id).first()
    if found is None or (not can_curate(user) and Hide.objects.standing().filter(comment=found).exists()):
        raise NotFound(f"no comment {comment_id}")
    return found


def _tell(verb: str, user: "User", finding: Finding, target: dict[str, Any], **details: str) -> None:
    about = {"comment": target["comment"].pk} if "comment" in target else {}
    tell(finding, f"{'comment' if about else 'finding'}.{verb}", actor=user, **about, **details)
