"""The states of flags, what people may decide about them, and what a verdict makes of a result."""

from django.db import models

from experiments.lifecycle import Standing


class FlagState(models.TextChoices):
    """CLAIMED: somebody is looking at it, for as long as the lock lasts."""

    OPEN = "open", "Open"
    CLAIMED = "claimed", "Claimed"
    DECIDED = "decided", "Decided"


class Level(models.TextChoices):
    """INFO is shown beside the run; FLAG asks for a person; HOLD quarantines the result and latches the agent."""

    INFO = "info", "Info"
    FLAG = "flag", "Flag"
    HOLD = "hold", "Hold"


class Source(models.TextChoices):
    """Who suspects."""

    DETECTOR = "detector", "Detector"
    PERSON = "person", "Person"
    MONITOR = "monitor", "Monitor"


class Verdict(models.TextChoices):
    """What reviewers may say."""

    CLEAN = "clean", "Clean"
    POLICY_GRAY = "policy_gray", "Policy-gray"
    EFFECT_REMOVED = "effect_removed", "Gaming: effect removed"
    DISQUALIFIED = "disqualified", "Gaming: disqualified"
    EVALUATOR_BUG = "evaluator_bug", "Evaluator bug"


REOPENED = "reopened"
"""The word that a decision row has in place of a verdict when a flag is opened again."""

GAMING = {Verdict.EFFECT_REMOVED, Verdict.DISQUALIFIED}
"""The verdicts that confirm what a detector suspected."""

STANDING_AFTER: dict[str, Standing] = {
    Verdict.POLICY_GRAY: Standing.POLICY_GRAY,
    Verdict.EFFECT_REMOVED: Standing.DISQUALIFIED,
    Verdict.DISQUALIFIED: Standing.DISQUALIFIED,
    # the score is the lab's mistake: nobody's fault, and not to be ranked
    Verdict.EVALUATOR_BUG: Standing.UNVERIFIED,
}
"""CLEAN is absent: it gives back what the result had."""

GRAVITY = [Standing.DISQUALIFIED, Standing.UNDER_REVIEW, Standing.UNVERIFIED, Standing.POLICY_GRAY, Standing.COUNTED]
"""Gravest first: of several flags on one result the gravest counts."""
