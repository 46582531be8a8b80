"""Finds scores above what the student reaches on ground truth."""

from typing import ClassVar

from pydantic import Field

from oversight.detectors import DETECTORS, Cost, ExperimentDetector, Options, Rates, Suspicion, known
from oversight.facts import ExperimentFacts


class ImpossibleScoreOptions(Options):
    """Thresholds of the impossible score."""

    pgr: float = Field(1.0, gt=0, description="PGR that the lower end must exceed.")


@DETECTORS.register("impossible-score")
class ImpossibleScore(ExperimentDetector):
    """Lower one-sided 99% end of PGR (Fieller) above 1. Source: Fieller 1954."""

    name: ClassVar[str] = "impossible-score"
    title: ClassVar[str] = "Impossible score (PGR, lower end)"
    summary: ClassVar[str] = (
        "Better than the same student trained on ground truth: leakage, or knowledge from elsewhere."
    )
    source: ClassVar[str] = "Fieller 1954."
    cost: ClassVar[Cost] = Cost.SCORED
    rates: ClassVar[Rates] = Rates(
        ".005 of methods that are exactly as good as the ceiling.",
        "A way to decide what to look at first; most that it flags use knowledge the student's head lacks.",
        "Leaks that stay under the ceiling.",
    )
    Options: ClassVar[type[ImpossibleScoreOptions]] = ImpossibleScoreOptions
    options: ImpossibleScoreOptions

    def applies(self, facts: ExperimentFacts) -> bool:
        """Where its interval is bounded."""
        return facts.numbers is not None and facts.numbers.pgr_low is not None

    def look(self, facts: ExperimentFacts) -> list[Suspicion]:
        """Teacher-free methods compete in their own class, where beating the ceiling is no news: a note."""
        low = known(known(facts.numbers).pgr_low)
        if low <= self.options.pgr:
            return []
        gray = facts.method_class == "policy_gray"
        return [
            Suspicion(
                level="info" if gray else "flag",
                title="A score above the ceiling",
                statistic=low,
                threshold=self.options.pgr,
                p_value=None,
                sentences=(
                    f"The lower 99% end of its dev PGR is {low:.2f}; 1 is the student trained on ground truth.",
                    *(("It learns without the teacher, so the student's ceiling does not bind it.",) if gray else ()),
                ),
                blames=(("experiment", facts.experiment),),
            )
        ]
