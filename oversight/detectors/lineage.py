"""Marks what descends from a held experiment: code that builds on its snapshot, findings that cite it."""

from typing import ClassVar

from oversight.detectors import DETECTORS, ExperimentDetector, Rates, Suspicion
from oversight.facts import ExperimentFacts


@DETECTORS.register("lineage")
class Lineage(ExperimentDetector):
    """Deterministic, and over-inclusive by design: tainted means verify again, not guilty. Source: taint tracking."""

    name: ClassVar[str] = "lineage"
    title: ClassVar[str] = "Lineage (tainted ancestors)"
    summary: ClassVar[str] = "It builds on an experiment that is held for gaming."
    source: ClassVar[str] = "Taint tracking; forum laundering through a second agent."
    rates: ClassVar[Rates] = Rates(
        "Over-inclusive by design: it says verify again.",
        "1 where the descent is declared or the finding is cited.",
        "Copies that do not say where they come from.",
    )

    def look(self, facts: ExperimentFacts) -> list[Suspicion]:
        """One flag for all its tainted ancestors."""
        if not facts.taints:
            return []
        said = {"snapshot": "its code descends from that of", "citation": "the finding it belongs to cites"}
        return [
            Suspicion(
                level="flag",
                title="Builds on a held experiment: verify again",
                statistic=float(len(facts.taints)),
                threshold=0.0,
                p_value=None,
                sentences=tuple(f"Held: {said[taint.how]} experiment {taint.experiment}." for taint in facts.taints),
                blames=(("experiment", facts.experiment),),
                links=tuple(("experiment", taint.experiment) for taint in facts.taints),
            )
        ]
