"""The verdict on one cell: one of five, with its bounds and its p-values."""

from dataclasses import dataclass
from enum import StrEnum

from metrics import MEASURABLE_GAP_OVER_SE
from transferstats.cells import ALPHA, Cell
from transferstats.needed import Needed, needed_to_decide, needed_to_measure

THETA_MIN = 0.20  # PGR; fixed before the study


class Outcome(StrEnum):
    """What is concluded. Never from "p > .05": not to be sure is `INCONCLUSIVE`."""

    NOT_MEASURABLE = "not_measurable"
    TRANSFERS = "transfers"
    HARMS = "harms"
    DOES_NOT_TRANSFER = "does_not_transfer"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One cell's outcome and what it rests on; ratios are PGR, levels one-sided.

    pgr, pgr_se: estimate and delta-method SE; None where the ceiling is not above the weak teacher.
    lower, upper: None where unbounded. gap: of accuracy. gap_over_se: infinite for a gap without any noise.
    p_transfers, p_does_not_transfer: of PGR ≤ θ_min, of PGR ≥ θ_min. p_harms: of PGR ≥ 0.
    All three are 1 in a cell that is not measurable: it supports no claim.
    positive_but_small: the lower bound lies above 0, but not above θ_min ("positive but small or unresolved").
    needed: what would settle it, where it is open.
    """

    outcome: Outcome
    theta_min: float
    alpha: float
    pgr: float | None
    pgr_se: float | None
    lower: float | None
    upper: float | None
    gap: float
    gap_over_se: float
    p_transfers: float
    p_does_not_transfer: float
    p_harms: float
    positive_but_small: bool
    needed: Needed | None


def judge(cell: Cell, theta_min: float = THETA_MIN, alpha: float = ALPHA) -> Verdict:
    """The verdict, by bounds of the PGR: the first rule of `_outcome` that holds.

    theta_min: in [0, 1], the least PGR that counts as transfer. Raises: ValueError outside.
    Source: Fieller 1954 (bounds); Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657 (a margin against which both
    sides are tested, each at its one-sided level). Departs: one margin, and 0 for harm.
    """
    if not 0 <= theta_min <= 1:
        raise ValueError(f"theta_min must be in [0, 1], not {theta_min}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must be in (0, .5), not {alpha}")
    bounds, measurable = cell.bounds(alpha), cell.gap_over_se >= MEASURABLE_GAP_OVER_SE
    lower, upper = bounds.lower, bounds.upper
    outcome = _outcome(measurable, lower, upper, theta_min)
    small = outcome in {Outcome.DOES_NOT_TRANSFER, Outcome.INCONCLUSIVE} and lower is not None and lower > 0
    needed = None
    if outcome is Outcome.NOT_MEASURABLE:
        needed = needed_to_measure(cell)
    elif outcome is Outcome.INCONCLUSIVE:
        needed = needed_to_decide(cell, theta_min, alpha)
    p_values = (1.0, 1.0, 1.0)
    if measurable:
        p_values = (cell.p_above(theta_min), cell.p_below(theta_min), cell.p_below(0.0))
    return Verdict(
        outcome=outcome,
        theta_min=theta_min,
        alpha=alpha,
        pgr=cell.ratio(),
        pgr_se=cell.ratio_se(),
        lower=lower,
        upper=upper,
        gap=cell.gap.value,
        gap_over_se=cell.gap_over_se,
        p_transfers=p_values[0],
        p_does_not_transfer=p_values[1],
        p_harms=p_values[2],
        positive_but_small=small,
        needed=needed,
    )


def _outcome(measurable: bool, lower: float | None, upper: float | None, theta_min: float) -> Outcome:
    """In this order; a bound that does not exist is beyond nothing."""
    if not measurable:
        return Outcome.NOT_MEASURABLE
    if lower is not None and lower > theta_min:
        return Outcome.TRANSFERS
    if upper is not None and upper < 0:
        return Outcome.HARMS
    if upper is not None and upper < theta_min:
        return Outcome.DOES_NOT_TRANSFER
    return Outcome.INCONCLUSIVE
