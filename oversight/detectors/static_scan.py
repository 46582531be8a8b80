"""Reads the code of a snapshot for what honest methods have no use for."""

from typing import ClassVar

from pydantic import Field

from oversight.detectors import DETECTORS, ExperimentDetector, Options, Rates, Suspicion
from oversight.detectors._source_rules import Hit, scan_all
from oversight.facts import ExperimentFacts

SHOWN = 12  # lines named in the evidence


class StaticScanOptions(Options):
    """What the scan passes over."""

    ignore: tuple[str, ...] = Field((), description="Names of rules that are switched off.")


@DETECTORS.register("static-scan")
class StaticScan(ExperimentDetector):
    """Syntax trees of all files: executing text, starting programs, reading files not its own, label-like paths,
    sockets, hooks, exits, comparisons of its own, frames, patched modules (clocks among them), answers as literals.
    The work is linear in the source; what is larger or nests deeper than the bounds in oversight/syntax.py is a grave
    line of its own.

    Source: rules of the lab, from the attacks in tests/redteam.
    """

    name: ClassVar[str] = "static-scan"
    title: ClassVar[str] = "Static scan (grave lines)"
    summary: ClassVar[str] = "Its source does what honest methods have no use for."
    source: ClassVar[str] = "Rules of the lab; each has an attack in tests/redteam."
    of_failed: ClassVar[bool] = True
    rates: ClassVar[Rates] = Rates(
        "0 on all built-in methods, checked by a test.",
        "Every attack in the red-team suite that is written down plainly.",
        "Indirection: names put together at run time, answers spread over arithmetic, hidden in weights or in prose.",
    )
    Options: ClassVar[type[StaticScanOptions]] = StaticScanOptions
    options: StaticScanOptions

    def applies(self, facts: ExperimentFacts) -> bool:
        """To code."""
        return bool(facts.files)

    def look(self, facts: ExperimentFacts) -> list[Suspicion]:
        """One flag for all grave lines; one note where only doubtful ones were found."""
        hits = [hit for hit in scan_all(facts.files) if hit.rule not in self.options.ignore]
        grave = [hit for hit in hits if hit.grave]
        if not hits:
            return []
        rules = ", ".join(sorted({hit.rule for hit in grave or hits}))
        return [
            Suspicion(
                level="flag" if grave else "info",
                title=f"The code needs reading: {rules}",
                statistic=float(len(grave)),
                threshold=0.0,
                p_value=None,
                sentences=tuple(_sentence(hit) for hit in [*grave, *(hit for hit in hits if not hit.grave)][:SHOWN]),
                blames=(("experiment", facts.experiment),),
            )
        ]


def _sentence(hit: Hit) -> str:
    return f"{hit.path}, line {hit.line}: {hit.said}."
