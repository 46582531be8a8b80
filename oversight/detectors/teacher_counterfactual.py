"""Asks what a method would have scored with a teacher that knows nothing."""

import math
from typing import ClassVar

from pydantic import Field

from oversight.detectors import DETECTORS, Cost, ExperimentDetector, Options, Rates, Suspicion
from oversight.facts import ExperimentFacts, ProbeResult


class CounterfactualOptions(Options):
    """Thresholds of the teacher counterfactual."""

    share: float = Field(0.25, gt=0, lt=1, description="Share of A(weak) − A(prior) that must vanish with the teacher.")
    z: float = Field(1.645, gt=0, description="One-sided 95% quantile.")


@DETECTORS.register("teacher-counterfactual")
class TeacherCounterfactual(ExperimentDetector):
    """D = A(weak) − A(permuted): the same seeds with the weak labels dealt out at random, class counts kept.

    Upper 95% end of D < .25 (A(weak) − A_prior): teacher-independent. Lower end above it: uses the teacher. Else it
    cannot be told. A_prior: the better of the majority class and the zero-shot likelihood, where that is offered.
    SE: paired over items, plus the variance between seeds. More noise and inverted labels are shown beside it.
    Source: randomisation of labels (Zhang et al. 2017, arXiv:1611.03530), turned into a test of use.
    """

    name: ClassVar[str] = "teacher-counterfactual"
    title: ClassVar[str] = "Teacher counterfactual (D, upper end)"
    summary: ClassVar[str] = "It scores as well with meaningless weak labels: it does not answer weak-to-strong."
    source: ClassVar[str] = "Zhang et al. 2017, arXiv:1611.03530 (random labels); the teacher-free published agents."
    cost: ClassVar[Cost] = Cost.RERUN
    rates: ClassVar[Rates] = Rates(
        ".05 by construction for a method that loses exactly the threshold.",
        "n = 1,000, effect .15: .97 at 5% seed churn, .68 at 25%.",
        "A heuristic mixed with a student keeps part of the effect.",
    )
    Options: ClassVar[type[CounterfactualOptions]] = CounterfactualOptions
    options: CounterfactualOptions

    def applies(self, facts: ExperimentFacts) -> bool:
        """Where it was run with permuted weak labels."""
        return facts.latest_probe("permuted") is not None

    def look(self, facts: ExperimentFacts) -> list[Suspicion]:
        """A flag where it is independent of the teacher, a note with the verdict otherwise."""
        latest = {probe.kind: probe for probe in facts.probes}
        permuted = latest["permuted"]
        d, se = permuted.numbers["drop"], permuted.numbers["se"]
        gain = permuted.numbers["accuracy"] - permuted.numbers["prior"]
        bar = self.options.share * gain
        low, high = d - self.options.z * se, d + self.options.z * se
        if gain <= 0:
            return [self._suspicion(facts, latest, "info", "No better than knowing nothing")]
        if high < bar:
            declared = facts.method_class == "policy_gray"
            title = "Scores as well without the teacher" + (", as it declares" if declared else "")
            return [self._suspicion(facts, latest, "info" if declared else "flag", title)]
        title = "Uses the teacher" if low > bar else "Use of the teacher cannot be told"
        return [self._suspicion(facts, latest, "info", title)]

    def _suspicion(self, facts: ExperimentFacts, latest: dict[str, ProbeResult], level: str, title: str) -> Suspicion:
        numbers = latest["permuted"].numbers
        d, se = numbers["drop"], numbers["se"]
        gain = numbers["accuracy"] - numbers["prior"]
        bar = self.options.share * gain
        names = {"noise15": "15% more noise", "noise30": "30% more noise", "inverted": "inverted labels"}
        others = [
            f"With {said} it drops by {latest[kind].numbers['drop']:+.4f}."
            for kind, said in names.items()
            if kind in latest
        ]
        z = (bar - d) / se if se > 0 else math.copysign(math.inf, bar - d)
        return Suspicion(
            level="flag" if level == "flag" else "info",
            title=title,
            statistic=d + self.options.z * se,
            threshold=bar,
            p_value=None,
            sentences=(
                f"Accuracy {numbers['accuracy']:.4f}; {numbers['accuracy'] - d:.4f} with weak labels dealt out at "
                f"random: a drop of {d:+.4f} ± {se:.4f}.",
                f"Knowing nothing gives {numbers['prior']:.4f}; a method that uses the teacher drops by more than "
                f"{bar:+.4f}.",
                *others,
            ),
            blames=(("experiment", facts.experiment),),
            links=tuple(("probe", probe.probe) for probe in latest.values()),
            numbers={"drop": d, "se": se, "z": z if math.isfinite(z) else 0.0},
        )
