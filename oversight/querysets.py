"""Reusable filters over flags."""

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Case, Q, Value, When
from django.utils import timezone

from oversight.lifecycle import FlagState, Level
from oversight.permissions import can_see_flags

if TYPE_CHECKING:
    from experiments.permissions import Actor


class FlagQuerySet(models.QuerySet[Any]):
    """Filters over flags."""

    def visible_to(self, user: "Actor") -> "FlagQuerySet":
        """People of the lab see every flag; nobody else sees a flag's row."""
        return self.all() if can_see_flags(user) else self.none()

    def undecided(self) -> "FlagQuerySet":
        """Whoever looks at them now."""
        return self.exclude(state=FlagState.DECIDED)

    def in_state(self, state: str) -> "FlagQuerySet":
        """As people understand it: a lock that has run out leaves the flag open."""
        live = Q(state=FlagState.CLAIMED, claimed_until__gt=timezone.now())
        if state == FlagState.CLAIMED:
            return self.filter(live)
        if state == FlagState.OPEN:
            return self.undecided().exclude(live)
        decided: FlagQuerySet = self.filter(state=state)
        return decided

    def for_people(self) -> "FlagQuerySet":
        """Those that ask for a judgement; INFO is only shown."""
        return self.exclude(level=Level.INFO)

    def gravest_first(self) -> "FlagQuerySet":
        """Holds before flags, then the oldest."""
        weight = Case(When(level=Level.HOLD, then=Value(0)), When(level=Level.FLAG, then=Value(1)), default=Value(2))
        ordered: FlagQuerySet = self.annotate(weight=weight).order_by("weight", "id")
        return ordered
