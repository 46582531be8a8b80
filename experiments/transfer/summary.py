"""All cells of a study together: the headline, corrected p-values, and the pooled PGR."""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.selectors.scores import Score
from experiments.transfer.plans import ALPHA
from transferstats.many import at_least, benjamini_hochberg, holm, partial_conjunction
from transferstats.pooling import FEWEST_CELLS, Pooled, pool

Q = 0.10  # false discovery rate of exploration


@dataclass(frozen=True, slots=True)
class Headline:
    """What all cells together say, at 95%.

    at_least: in how many of the cells it transfers at least, or for a study that explores, how many are promising.
    p: that of the claim; None where there is none, or none is made.
    """

    at_least: int
    cells: int
    confirmed: bool
    p: float | None

    @property
    def says(self) -> str:
        """As a sentence."""
        if not self.confirmed:
            return f"Promising in {self.at_least} of {self.cells} cells (q < {Q:.2f}): explored, not confirmed"
        if not self.at_least:
            return f"Not shown to transfer in any of {self.cells} cells"
        return f"Transfers in at least {self.at_least} of {self.cells} cells"

    @property
    def short(self) -> str:
        """For a line of the leaderboard."""
        return (
            f"in ≥ {self.at_least} of {self.cells}" if self.confirmed else f"{self.at_least} of {self.cells} promising"
        )


def headline(ps: Sequence[float], *, confirmatory: bool) -> Headline:
    """The partial conjunction of all cells, each with its p; 1 for one that did not run."""
    if not confirmatory:
        promising = sum(q < Q for q in benjamini_hochberg(ps))
        return Headline(promising, len(ps), confirmed=False, p=None)
    found = at_least(ps, ALPHA)
    return Headline(found, len(ps), confirmed=True, p=partial_conjunction(ps)[found - 1] if found else None)


def adjusted(ps: Sequence[float], *, confirmatory: bool) -> list[float]:
    """Holm where the study confirms, Benjamini and Hochberg where it explores."""
    return holm(ps) if confirmatory else benjamini_hochberg(ps)


def pooled(scores: Sequence[Score]) -> Pooled | None:
    """Random effects over the PGR of measurable cells; None for fewer than four."""
    usable = [(each.value, each.se**2) for each in scores if each.value is not None and each.se]
    if len(usable) < FEWEST_CELLS:
        return None
    estimates, variances = zip(*usable, strict=True)
    return pool(estimates, variances)
