"""Sets policies: a change is a new version, so that approvals are bound to the one they were given under."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Max

from agents.models import Campaign, Policy
from agents.permissions import can_review, can_set_lab_policy
from agents.policy import DEFAULT_RULES, checked_rules
from agents.presets import COSTLY, MOST_SECONDS, PRESETS, preset_rules
from agents.services.states import record
from experiments.errors import Forbidden, InvalidInput, NotFound
from experiments.texts import check_reason

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SHORTEST, LONGEST = 60, 30 * 86_400  # seconds an approval may wait


def current_policy(campaign_id: int) -> Policy | None:
    """The newest version of the campaign's own, else of the lab's; None if there is neither: then nothing may act."""
    own = Policy.objects.filter(campaign=campaign_id).order_by("-version").first()
    return own or Policy.objects.filter(campaign=None).order_by("-version").first()


@transaction.atomic
def ensure_default() -> Policy:
    """The lab's default, made if there is none yet; safe to repeat."""
    found = Policy.objects.filter(campaign=None).order_by("-version").first()
    return (
        found
        or Policy.objects.get_or_create(
            campaign=None, version=1, defaults={"rules": DEFAULT_RULES, "reason": "What a new lab starts with"}
        )[0]
    )


@transaction.atomic
def set_policy(
    *,
    user: "User",
    campaign_id: int | None,
    rules: Any = None,
    preset: str = "",
    ask_above: int | None = None,
    hold_flags: bool = False,
    approval_seconds: int = 86_400,
    reason: str,
) -> Policy:
    """A new version for a campaign (reviewers), or with None for the lab (admins): by rules, or by a preset's name.

    Approvals that were given under the one before can no longer be used. Raises: Forbidden, NotFound, InvalidInput.
    """
    campaign: Campaign | None = None
    if campaign_id is not None:
        campaign = Campaign.objects.visible_to(user).select_for_update(no_key=True, of=("self",)).filter(
            pk=campaign_id
        ).first()  # fmt: skip
        if campaign is None:
            raise NotFound(f"no campaign {campaign_id}")
    if not (can_review(user) if campaign_id is not None else can_set_lab_policy(user)):
        raise Forbidden("you may not set this policy")
    why = check_reason(reason)
    chosen = chosen_rules(campaign, rules=rules, preset=preset, ask_above=ask_above)
    return write_policy(
        user=user, campaign=campaign, rules=chosen, hold_flags=hold_flags, approval_seconds=approval_seconds,
        reason=why,
    )  # fmt: skip


def first_policy(user: "User", campaign: Campaign, given: Mapping[str, Any]) -> Policy:
    """Of a campaign that is being made. given: as `set_policy` takes it. Raises: InvalidInput."""
    named = {name: given[name] for name in ("rules", "preset", "ask_above") if name in given}
    preset = given.get("preset")
    return write_policy(
        user=user,
        campaign=campaign,
        rules=chosen_rules(campaign, **named),
        hold_flags=given.get("hold_flags", False),
        approval_seconds=given.get("approval_seconds", 86_400),
        reason=f"set when the campaign was made{f', by the preset {preset}' if preset else ''}",
    )


def chosen_rules(
    campaign: Campaign | None, *, rules: Any = None, preset: str = "", ask_above: int | None = None
) -> Any:
    """The rules given, or those of a preset upon the lab's as they are now. Raises: InvalidInput."""
    if bool(preset) == (rules is not None):
        raise InvalidInput("give either rules or the name of a preset", pointer="#/preset")
    if ask_above is not None and preset != COSTLY:
        raise InvalidInput(f"only the preset {COSTLY!r} asks above a cost", pointer="#/ask_above")
    if rules is not None:
        return rules
    if preset not in PRESETS:
        raise InvalidInput(f"{preset!r}: expected one of {', '.join(PRESETS)}", pointer="#/preset")
    if ask_above is not None and not 0 <= ask_above <= MOST_SECONDS:
        raise InvalidInput(f"expected 0 to {MOST_SECONDS} GPU seconds", pointer="#/ask_above")
    lab = Policy.objects.filter(campaign=None).order_by("-version").first() if campaign is not None else None
    return preset_rules(preset, lab.rules if lab else DEFAULT_RULES, ask_above=ask_above)


def write_policy(
    *, user: "User | None", campaign: Campaign | None, rules: Any, hold_flags: bool, approval_seconds: int, reason: str
) -> Policy:
    """The next version. Needs a transaction. Raises: InvalidInput."""
    if not SHORTEST <= approval_seconds <= LONGEST:
        raise InvalidInput(f"expected {SHORTEST} to {LONGEST} seconds", pointer="#/approval_seconds")
    last = Policy.objects.filter(campaign=campaign).aggregate(last=Max("version"))["last"] or 0
    made = Policy.objects.create(
        campaign=campaign, version=last + 1, rules=checked_rules(rules), hold_flags=hold_flags,
        approval_seconds=approval_seconds, reason=reason, made_by=user,
    )  # fmt: skip
    number = campaign.pk if campaign else 0
    record(number, "policy.set", f"policy:{made.pk}", actor=user, policy=made.pk, version=made.version, reason=reason)
    return made
