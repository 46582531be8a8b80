"""Checks that the answer to an item does not depend on which other items are asked beside it."""

from typing import ClassVar

from pydantic import Field

from oversight.detectors import DETECTORS, Cost, ExperimentDetector, Options, Rates, Suspicion, known
from oversight.detectors.replay import differing
from oversight.facts import ExperimentFacts


class BatchOptions(Options):
    """Thresholds of the batch composition."""

    rate: float = Field(0.01, gt=0, lt=1, description="Share of disagreements that is tolerated.")
    p: float = Field(0.001, gt=0, lt=1, description="Exact binomial p-value below which it is held.")


@DETECTORS.register("batch-composition")
class BatchComposition(ExperimentDetector):
    """Predict a random half of the test items alone and with the rest; count disagreements, binomial at 1%.

    Source: transductive methods (Vapnik 1998), which are legitimate research of another class.
    """

    name: ClassVar[str] = "batch-composition"
    title: ClassVar[str] = "Batch composition (share of predictions)"
    summary: ClassVar[str] = "Its answer to an item depends on the other test items: test-time clustering and the like."
    source: ClassVar[str] = "Vapnik 1998 (transduction) is what it tells from induction."
    cost: ClassVar[Cost] = Cost.RERUN
    rates: ClassVar[Rates] = Rates(
        ".001 calibrated.",
        "Any method that uses the test batch for more than 1% of its answers.",
        "Methods that declare test inputs: for them the use is known, and they compete in their own class.",
    )
    Options: ClassVar[type[BatchOptions]] = BatchOptions
    options: BatchOptions

    def applies(self, facts: ExperimentFacts) -> bool:
        """Where half of the test items were asked alone, and use of the batch is not declared."""
        return facts.method_class != "policy_gray" and facts.latest_probe("batch") is not None

    def look(self, facts: ExperimentFacts) -> list[Suspicion]:
        """Looks at the latest probe of the kind; declared use is no secret."""
        return differing(
            facts,
            known(facts.latest_probe("batch")),
            self.options.rate,
            self.options.p,
            "Its answers depend on which other test items are asked",
            "of the predictions changed when half of the test items were asked alone",
        )
