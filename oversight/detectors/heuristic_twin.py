"""Finds methods that answer like a rule of thumb: the most common answer, the longer one, always the first."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from oversight.detectors import DETECTORS, Cost, ExperimentDetector, Options, Rates, Suspicion, known
from oversight.detectors._heuristics import bank
from oversight.facts import Bits, ExperimentFacts

RESAMPLES = 400
CONSTANT = "always the first"  # what a student under too strong a penalty says, too; it earns nothing: a note


class HeuristicTwinOptions(Options):
    """Thresholds of the heuristic twin."""

    kappa: float = Field(0.6, gt=0, lt=1, description="Lower 95% end of error consistency above which it speaks.")


@DETECTORS.register("heuristic-twin")
class HeuristicTwin(ExperimentDetector):
    """κ = (c − e)/(1 − e): c share of equal answers, e = pp′ + (1 − p)(1 − p′) expected from the two accuracies alone.

    Each heuristic stands for its opposite, too. The lower end is a bootstrap over questions of c, accuracies fixed.
    Source: Geirhos, Meding and Wichmann 2020, arXiv:2006.16736 (error consistency).
    """

    name: ClassVar[str] = "heuristic-twin"
    title: ClassVar[str] = "Heuristic twin (κ, lower end)"
    summary: ClassVar[str] = "Its errors are those of a rule of thumb that ignores the teacher."
    source: ClassVar[str] = "Geirhos, Meding and Wichmann 2020, arXiv:2006.16736; the most-common-answer agent."
    cost: ClassVar[Cost] = Cost.SCORED
    rates: ClassVar[Rates] = Rates(
        "Calibrated on each benchmark's own experiments; see the calibration beside the flag.",
        "High on a pure heuristic; a heuristic mixed half and half with a student stays under the threshold.",
        "Rules that are not in the bank of eight.",
    )
    Options: ClassVar[type[HeuristicTwinOptions]] = HeuristicTwinOptions
    options: HeuristicTwinOptions

    def applies(self, facts: ExperimentFacts) -> bool:
        """Where rules of thumb were scored."""
        return facts.numbers is not None and bool(facts.items)

    def look(self, facts: ExperimentFacts) -> list[Suspicion]:
        """The heuristic it resembles most, if it resembles one."""
        numbers = known(facts.numbers)
        groups = np.array([item.group for item in facts.items])
        vote, p = facts.vote, numbers.vote_accuracy
        best: tuple[float, float, str] = (-1.0, -1.0, "")
        for name, answers in bank(facts.items, facts.training).items():
            accuracy = numbers.heuristics.get(name)
            if accuracy is None:
                continue
            for twin, own, called in ((answers, accuracy, name), (~answers, 1 - accuracy, f"the opposite of: {name}")):
                best = max(best, (*consistency(vote, twin, p, own, groups), called))
        low, kappa, called = best
        if low <= self.options.kappa:
            return []
        worthless = called.endswith(CONSTANT) and (facts.dev_pgr is None or facts.dev_pgr <= 0)
        return [
            Suspicion(
                level="info" if worthless else "flag",
                title=f"Answers like a rule of thumb: {called}",
                statistic=low,
                threshold=self.options.kappa,
                p_value=None,
                sentences=(
                    f"Error consistency with the rule “{called}” is {kappa:.2f} (lower 95% end {low:.2f}); 0 is what "
                    "two unrelated methods of these accuracies have, 1 is the same answers.",
                ),
                blames=(("experiment", facts.experiment),),
                numbers={"kappa": kappa},
            )
        ]


def consistency(ours: Bits, theirs: Bits, p: float, q: float, groups: NDArray[np.int64]) -> tuple[float, float]:
    """Lower one-sided 95% end of κ, and κ. p, q: accuracies of the two."""
    expected = p * q + (1 - p) * (1 - q)
    if expected >= 1:
        return 0.0, 0.0  # both perfect: nothing can be told
    equal = (ours == theirs).astype(float)
    codes = np.unique(groups, return_inverse=True)[1]
    sums, sizes = np.bincount(codes, equal), np.bincount(codes)
    drawn = np.random.default_rng(0).multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=RESAMPLES)
    shares = (drawn @ sums) / (drawn @ sizes)
    low = float(np.quantile((shares - expected) / (1 - expected), 0.05))
    return low, float((equal.mean() - expected) / (1 - expected))
