"""Switch detectors on and off, change their thresholds, give demoted ones their weight back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from experiments import events
from experiments.acting import act_as
from experiments.errors import Forbidden, InvalidInput
from experiments.texts import check_reason
from oversight.models import DetectorSetting
from oversight.permissions import can_administer

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def setting_of(name: str) -> DetectorSetting:
    """What is set for a detector: its row, or the defaults, unsaved."""
    return DetectorSetting.objects.filter(name=name).first() or DetectorSetting(name=name)


@transaction.atomic
def set_detector(
    *,
    user: "User",
    name: str,
    enabled: bool | None = None,
    overrides: Mapping[str, Any] | None = None,
    restore: bool = False,
    reason: str,
) -> DetectorSetting:
    """Change what is not None. restore: lift a demotion; only decisions from now on count for the next.

    Raises: Forbidden, InvalidInput.
    """
    if not can_administer(user):
        raise Forbidden("you may not set detectors")
    why = check_reason(reason)
    act_as(user, why)
    if overrides is not None and not all(isinstance(v, int | float | str | bool) for v in overrides.values()):
        raise InvalidInput("expected option -> number, text or true/false", pointer="#/overrides")
    row, _ = DetectorSetting.objects.select_for_update().get_or_create(name=name)
    row.enabled = row.enabled if enabled is None else enabled
    row.overrides = row.overrides if overrides is None else dict(overrides)
    if restore:
        row.demoted_at, row.demotion, row.counted_from = None, "", timezone.now()
    row.updated_by = user
    row.save()
    payload = {"detector": name, "enabled": row.enabled, "overrides": row.overrides, "reason": why}
    events.record("detector.set", f"detector:{name}", actor=user, payload=payload)
    return row
