"""A whole study: one headline, claims that stand together, and what the source cell may not add."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from transferstats.cells import ALPHA
from transferstats.many import at_least, benjamini_hochberg, holm, partial_conjunction
from transferstats.pooling import FEWEST_CELLS, Pooled, pool
from transferstats.verdict import Outcome, Verdict

Q = 0.10  # false discovery rate of exploration


class Role(StrEnum):
    """What a cell is to the study.

    SOURCE: the method was chosen on it, so it is no evidence.
    CONFIRMATORY: named in the plan, with all its seeds. EXPLORATORY: anything else, as three seeds only.
    """

    SOURCE = "source"
    CONFIRMATORY = "confirmatory"
    EXPLORATORY = "exploratory"


@dataclass(frozen=True, slots=True)
class Judged:
    """One cell of the study with its verdict."""

    name: str
    role: Role
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Summary:
    """What the study as a whole may say.

    transfers_in, cells: "transfers in at least u of k confirmatory cells". p_value: of that claim, or for u = 0 of
    "in at least one"; 1 without cells. A cell that is not measurable counts among the k, and for nothing.
    adjusted: name -> Holm's p (confirmatory) or Benjamini-Hochberg's q (exploratory); none for the source.
    confirmed: confirmatory cells whose transfer may be claimed beside all others. promising: exploratory, q < .10.
    pooled: PGR over measurable confirmatory cells; None for fewer than four.
    """

    transfers_in: int
    cells: int
    p_value: float
    adjusted: dict[str, float]
    confirmed: tuple[str, ...]
    promising: tuple[str, ...]
    pooled: Pooled | None
    headline: str


def summarise(cells: Sequence[Judged]) -> Summary:
    """Counts, claims and pooling over cells; of the source cell nothing enters. Raises: ValueError on equal names."""
    names = [cell.name for cell in cells]
    if len(set(names)) < len(names):
        raise ValueError("two cells of a study have one name")
    planned = [cell for cell in cells if cell.role is Role.CONFIRMATORY]
    explored = [cell for cell in cells if cell.role is Role.EXPLORATORY]
    p_values, other_p_values = ([cell.verdict.p_transfers for cell in some] for some in (planned, explored))
    found = at_least(p_values)
    steps = partial_conjunction(p_values)
    p_value = steps[max(found, 1) - 1] if steps else 1.0
    adjusted = dict(zip((cell.name for cell in planned), holm(p_values), strict=True))
    q_values = dict(zip((cell.name for cell in explored), benjamini_hochberg(other_p_values), strict=True))
    return Summary(
        transfers_in=found,
        cells=len(planned),
        p_value=p_value,
        adjusted=adjusted | q_values,
        confirmed=tuple(name for name, p in adjusted.items() if p <= ALPHA),
        promising=tuple(name for name, q in q_values.items() if q < Q),
        pooled=_pooled([cell.verdict for cell in planned]),
        headline=_headline(found, len(planned), p_value),
    )


def _pooled(verdicts: Sequence[Verdict]) -> Pooled | None:
    """Cells without any noise cannot be weighed against others, and are left out with those not measurable."""
    usable = [
        (verdict.pgr, verdict.pgr_se**2)
        for verdict in verdicts
        if verdict.outcome is not Outcome.NOT_MEASURABLE and verdict.pgr is not None and verdict.pgr_se
    ]
    if len(usable) < FEWEST_CELLS:
        return None
    estimates, variances = zip(*usable, strict=True)
    return pool(estimates, variances)


def _headline(found: int, cells: int, p_value: float) -> str:
    if not cells:
        return "No confirmatory cell: nothing is claimed."
    shown = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
    if not found:
        return f"Not shown to transfer to any of {cells} cells ({shown})."
    return f"Transfers in at least {found} of {cells} cells ({shown})."
