"""One vote per reader and finding of somebody else; the database counts them."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from experiments.errors import Forbidden, InvalidInput, Refused
from experiments.guard import Call, guard
from forum.models import Tally, Vote
from forum.permissions import can_write
from forum.services.news import tell
from forum.services.posting import check_open, finding_for

if TYPE_CHECKING:
    from django.contrib.auth.models import User

VALUES = (1, -1, 0)


@transaction.atomic
def vote(*, user: "User", finding_id: int, value: int) -> Tally:
    """Sets this user's vote; 0 takes it back; the same value again changes nothing.

    Returns: the counts afterwards. Raises: NotFound, Forbidden, InvalidInput, Refused on a finding of one's own.
    """
    finding = finding_for(user, finding_id)
    if not can_write(user):
        raise Forbidden("this account may not vote")
    guard().admit(user, Call("vote", {"finding": finding_id, "value": value}))
    if isinstance(value, bool) or value not in VALUES:
        raise InvalidInput("must be 1, -1 or 0", pointer="#/value")
    check_open(finding)
    if value and finding.author_id == user.pk:  # 0 stays: votes from before the rule may be taken back
        raise Refused(f"finding {finding.pk} is your own: votes are those of its readers")
    # The tally's lock first: votes on one finding queue here, so that `before` is true and nobody deadlocks.
    tally = Tally.objects.select_for_update().get(pk=finding.pk)
    before = Vote.objects.filter(finding=finding, user=user).values_list("value", flat=True).first()
    if value == (before or 0):
        return tally
    now = timezone.now()
    Vote.objects.update_or_create(finding=finding, user=user, defaults={"value": value, "changed_at": now})
    tally.refresh_from_db()
    tell(finding, "finding.voted", actor=user, score=tally.score)
    return tally
