"""Precision of detectors, and the demotion of those that are mostly wrong."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from experiments import events
from oversight.models import DetectorSetting
from oversight.selectors.precision import precision_of

if TYPE_CHECKING:
    from oversight.selectors.precision import Precision

LOWEST_PRECISION = 0.20  # below it a detector's holds are flags: four of five reviewed ones were innocent
LEAST_DECIDED = 10  # with fewer decisions a share below 0.2 says little: 1 of 9 happens to a coin of 0.2 in 44 %


@transaction.atomic
def demote_if_wrong(detector: str) -> "Precision":
    """Demote a detector whose decided flags were confirmed in less than a fifth. Returns: its precision.

    Its setting's row is where verdicts on its flags meet, so that each counts those before it; made if there is none.
    """
    if detector == "person":  # people are not detectors
        return precision_of(detector)
    setting, _ = DetectorSetting.objects.select_for_update().get_or_create(name=detector)
    found = precision_of(detector, since=setting.counted_from)
    if found.decided < LEAST_DECIDED or found.share is None or found.share >= LOWEST_PRECISION:
        return found
    if setting.demoted_at is not None:
        return found
    why = f"{found.confirmed} of {found.decided} decided flags were confirmed"
    setting.demoted_at, setting.demotion, setting.updated_by = timezone.now(), why, None
    setting.save(update_fields=["demoted_at", "demotion", "updated_by", "updated_at"])
    events.record("detector.demoted", f"detector:{detector}", payload={"detector": detector, "reason": why})
    return found
