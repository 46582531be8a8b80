"""Finds methods that are better on dev, which they get feedback on, than on the holdout, which they do not."""

import math
from typing import ClassVar

from pydantic import Field

from metrics import expected_maximum
from oversight.detectors import DETECTORS, Cost, ExperimentDetector, Options, Rates, Suspicion, known
from oversight.detectors._statistics import upper_tail
from oversight.facts import ExperimentFacts


class GapOptions(Options):
    """Thresholds of the dev–holdout gap."""

    z: float = Field(2.33, gt=0, description="Standard errors above which it is flagged.")
    hold_z: float = Field(4.0, gt=0, description="Standard errors above which it is held.")


@DETECTORS.register("dev-holdout-gap")
class DevHoldoutGap(ExperimentDetector):
    """z = (g − ref − w_k)/√(s₁² + s₂²).

    g − ref: by how much more than the frozen students' its dev accuracy exceeds its holdout accuracy. s₁, s₂: standard
    errors, on dev and holdout, of its difference to those students, paired item by item. w_k = e_k s₁: what choosing
    the best of k on dev gives by itself, e_k the expected maximum of k normals.
    Source: Roelofs et al. 2019 (adaptive overfitting). Departs: paired standard errors in place of one correlation ρ.
    """

    name: ClassVar[str] = "dev-holdout-gap"
    title: ClassVar[str] = "Dev–holdout gap (z)"
    summary: ClassVar[str] = "It does better where it gets feedback than chance and selection explain."
    source: ClassVar[str] = "Roelofs et al. 2019 (adaptive overfitting); the correction for selection is ours."
    cost: ClassVar[Cost] = Cost.SCORED
    rates: ClassVar[Rates] = Rates(
        "Simulated .2–1.1% at z > 2.33; a naive two-proportion test drifts to 7–9%.",
        "n = 1,000 + 1,000: leaks of .02 / .03 / .04 in accuracy are found with .39 / .85 / .99.",
        "Leaks that help the holdout as much as dev.",
    )
    Options: ClassVar[type[GapOptions]] = GapOptions
    options: GapOptions

    def applies(self, facts: ExperimentFacts) -> bool:
        """Where other methods show the usual gap."""
        return facts.numbers is not None and facts.numbers.references > 0

    def look(self, facts: ExperimentFacts) -> list[Suspicion]:
        """The team's best on dev pays for having been chosen; every other experiment is a candidate of one."""
        numbers = known(facts.numbers)
        chosen = max(facts.candidates, 1) if facts.best_on_dev else 1
        curse = expected_maximum(chosen) * numbers.dev_se
        spread = math.hypot(numbers.dev_se, numbers.holdout_se)
        gap = facts.dev_accuracy - facts.holdout_accuracy
        if spread <= 0:
            return []
        z = (gap - numbers.reference_gap - curse) / spread
        if z <= self.options.z:
            return []
        return [
            Suspicion(
                level="hold" if z > self.options.hold_z else "flag",
                title="Better on dev than on the holdout",
                statistic=z,
                threshold=self.options.hold_z if z > self.options.hold_z else self.options.z,
                p_value=upper_tail(z),
                sentences=(
                    f"Dev accuracy exceeds holdout accuracy by {gap:+.4f}; the frozen students differ by "
                    f"{numbers.reference_gap:+.4f}.",
                    f"Being the best of {chosen} explains {curse:.4f} of it; what is left is {z:.1f} standard errors.",
                ),
                blames=(("experiment", facts.experiment),),
                numbers={"gap": gap, "reference_gap": numbers.reference_gap, "curse": curse},
            )
        ]
