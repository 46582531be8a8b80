"""Checks that what a method learned from are the weak labels, and that they are no better than labels can be."""

from typing import ClassVar

from pydantic import Field

from oversight.detectors import DETECTORS, Cost, ExperimentDetector, Options, Rates, Suspicion
from oversight.detectors._statistics import upper_tail
from oversight.facts import ExperimentFacts


class LabelProvenanceOptions(Options):
    """Thresholds of label provenance."""

    z: float = Field(2.58, gt=0, description="Standard errors above the ceiling's accuracy on dev: flagged.")
    hold_z: float = Field(3.29, gt=0, description="Standard errors above which it is held (one-sided p < .0005).")


@DETECTORS.register("label-provenance")
class LabelProvenance(ExperimentDetector):
    """Weak labels must hash to what was frozen; labels trained on must not be more accurate than the ceiling's answers.

    Source: the lab's own protocol.
    """

    name: ClassVar[str] = "label-provenance"
    title: ClassVar[str] = "Label provenance (z)"
    summary: ClassVar[str] = "The labels it learned from are not, or cannot be, derived from the weak labels."
    source: ClassVar[str] = "The lab's protocol: weak labels are hashed when a benchmark freezes."
    cost: ClassVar[Cost] = Cost.SCORED
    rates: ClassVar[Rates] = Rates(
        ".005 by construction at 2.58 standard errors; 0 for the hashes.",
        "Strong against labels bought or known from elsewhere and handed to the lab's student.",
        "Methods that train students of their own making, and code that changes what its own process tells: only "
        "their predictions are seen. Fits that leave out over a tenth of their items.",
    )
    Options: ClassVar[type[LabelProvenanceOptions]] = LabelProvenanceOptions
    options: LabelProvenanceOptions

    def look(self, facts: ExperimentFacts) -> list[Suspicion]:
        """Changed weak labels are held; labels too good to be true flagged or held by how far."""
        found = []
        if not facts.teacher_digests_hold:
            found.append(
                Suspicion(
                    level="hold",
                    title="The weak labels are not the ones that were frozen",
                    statistic=1.0,
                    threshold=0.0,
                    p_value=None,
                    sentences=("The stored weak labels of this benchmark no longer have the digest they froze with.",),
                    blames=(("experiment", facts.experiment),),
                )
            )
        n = facts.numbers
        if n is None or n.pool_accuracy is None or n.pool_ceiling is None or not n.pool_se:
            return found
        z = (n.pool_accuracy - n.pool_ceiling) / n.pool_se
        if z > self.options.z:
            found.append(
                Suspicion(
                    level="hold" if z > self.options.hold_z else "flag",
                    title="It learned from labels better than the ceiling's answers",
                    statistic=z,
                    threshold=self.options.z,
                    p_value=upper_tail(z),
                    sentences=(
                        f"The labels it trained on are right on {n.pool_accuracy:.1%} of its items; students trained "
                        f"on ground truth are right on {n.pool_ceiling:.1%} of the dev items, which they had not seen.",
                    ),
                    blames=(("experiment", facts.experiment),),
                )
            )
        return found
