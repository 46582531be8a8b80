"""Checks that running the same thing again gives the same predictions."""

from typing import ClassVar

from pydantic import Field

from oversight.detectors import DETECTORS, Cost, ExperimentDetector, Options, Rates, Suspicion, known
from oversight.detectors._statistics import binomial_tail
from oversight.facts import ExperimentFacts, ProbeResult


class ReplayOptions(Options):
    """Thresholds of the replay."""

    share: float = Field(0.01, gt=0, lt=1, description="Share of predictions that may differ at least.")
    nondeterminism: float = Field(0.0, ge=0, lt=0.3, description="Share that differs between two honest replays.")
    p: float = Field(0.001, gt=0, lt=1, description="Exact binomial p-value below which it is held.")


@DETECTORS.register("replay")
class Replay(ExperimentDetector):
    """h(stored, replayed)/n > max(.01, 3 × nondeterminism), exact binomial p < .001. Source: reproducibility checks."""

    name: ClassVar[str] = "replay"
    title: ClassVar[str] = "Replay (share of predictions)"
    summary: ClassVar[str] = "The same code with the same seed and labels gives other predictions."
    source: ClassVar[str] = "Exact replay; thresholds of the lab's design."
    cost: ClassVar[Cost] = Cost.RERUN
    rates: ClassVar[Rates] = Rates(
        ".001 calibrated; probes on a CPU replay bit by bit.",
        "Edits of more than 1% of the predictions; methods that look at the clock or at hidden state.",
        "Edits under the threshold.",
    )
    Options: ClassVar[type[ReplayOptions]] = ReplayOptions
    options: ReplayOptions

    def applies(self, facts: ExperimentFacts) -> bool:
        """Where seeds were run again."""
        return facts.latest_probe("replay") is not None

    def look(self, facts: ExperimentFacts) -> list[Suspicion]:
        """Looks at the latest replay."""
        return differing(
            facts,
            known(facts.latest_probe("replay")),
            max(self.options.share, 3 * self.options.nondeterminism),
            self.options.p,
            "A replay with the same seeds gives other predictions",
            "of the predictions of a replay with the same code, seeds and labels differ from those stored",
        )


def differing(  # noqa: PLR0917
    facts: ExperimentFacts, probe: ProbeResult, rate: float, p: float, title: str, said: str
) -> list[Suspicion]:
    """A hold where the probe differs in more predictions than `rate` allows."""
    hits, trials = int(probe.numbers["differing"]), int(probe.numbers["compared"])
    chance = binomial_tail(hits, trials, rate)
    if not trials or hits / trials <= rate or chance >= p:
        return []
    return [
        Suspicion(
            level="hold",
            title=title,
            statistic=hits / trials,
            threshold=rate,
            p_value=chance,
            sentences=(f"{hits} of {trials} ({hits / trials:.1%}) {said}.",),
            blames=(("experiment", facts.experiment),),
            links=(("probe", probe.probe),),
        )
    ]
