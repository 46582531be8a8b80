"""A verdict in plain English."""

from metrics import MEASURABLE_GAP_OVER_SE
from transferstats.needed import MOST_ITEMS, MOST_SEEDS, Needed
from transferstats.verdict import Outcome, Verdict


def sentence(verdict: Verdict) -> str:
    """What was found and how sure it is; for what is open, also what would settle it."""
    parts = [_FINDINGS[verdict.outcome](verdict)]
    if verdict.positive_but_small:
        parts.append(f"Positive but small or unresolved: at least {_figure(verdict.lower, 0.0)} is recovered.")
    if verdict.needed is not None:
        parts.append(_needed(verdict.needed, _GOALS[verdict.outcome]))
    return " ".join(parts)


def _not_measurable(verdict: Verdict) -> str:
    if verdict.gap <= 0:
        return "Not measurable: the ceiling is not above the weak teacher, so there is no gap to recover."
    return (
        f"Not measurable: the ceiling is {verdict.gap:.3f} of accuracy above the weak teacher, "
        f"{_figure(verdict.gap_over_se, MEASURABLE_GAP_OVER_SE, 1)} standard errors where "
        f"{MEASURABLE_GAP_OVER_SE:.0f} are asked; this says nothing about the method."
    )


def _transfers(verdict: Verdict) -> str:
    low = _figure(verdict.lower, verdict.theta_min)
    return (
        f"Transfers: at least {low} of the gap is recovered, above the margin of {_margin(verdict)}; {_best(verdict)}."
    )


def _harms(verdict: Verdict) -> str:
    return f"Harms: at most {_figure(verdict.upper, 0.0)} of the gap is recovered, less than nothing; {_best(verdict)}."


def _does_not_transfer(verdict: Verdict) -> str:
    high = _figure(verdict.upper, verdict.theta_min)
    return (
        f"Does not transfer: at most {high} of the gap is recovered, below the margin of {_margin(verdict)}; "
        f"{_best(verdict)}."
    )


def _inconclusive(verdict: Verdict) -> str:
    if verdict.lower is None or verdict.upper is None:
        return f"Inconclusive: with so few seeds no share of the gap can be excluded; {_best(verdict)}."
    low, high = _figure(verdict.lower, verdict.theta_min), _figure(verdict.upper, verdict.theta_min)
    return (
        f"Inconclusive: between {low} and {high} of the gap is recovered, on both sides of the margin of "
        f"{_margin(verdict)}; {_best(verdict)}."
    )


_FINDINGS = {
    Outcome.NOT_MEASURABLE: _not_measurable,
    Outcome.TRANSFERS: _transfers,
    Outcome.HARMS: _harms,
    Outcome.DOES_NOT_TRANSFER: _does_not_transfer,
    Outcome.INCONCLUSIVE: _inconclusive,
}
_GOALS = {Outcome.NOT_MEASURABLE: "make it measurable", Outcome.INCONCLUSIVE: "settle it"}


def _best(verdict: Verdict) -> str:
    return f"the estimate is {verdict.pgr:.2f}, each bound is one-sided at {100 * (1 - verdict.alpha):.3g}%"


def _margin(verdict: Verdict) -> str:
    return f"{verdict.theta_min:.2f}"


def _figure(value: float | None, against: float, digits: int = 2) -> str:
    """Rounded, with as many digits as it takes to differ from what it is compared with."""
    if value is None:
        raise ValueError("a bound that does not exist has no figure")
    while digits < 6 and round(value, digits) == round(against, digits):
        digits += 1
    return f"{value:.{digits}f}"


def _needed(needed: Needed, goal: str) -> str:
    """Each way that suffices at today's estimate, and each that does not."""
    items = None if needed.items is None else f"{_rounded_up(needed.items):,} items"
    seeds = None if needed.seeds is None else f"{needed.seeds:,} seeds per arm"
    rate = "four times in five, if the estimate holds"
    if items and seeds:
        return f"About {items}, or {seeds}, would {goal} {rate}."
    if items:
        return f"About {items} would {goal} {rate}; more seeds alone cannot."
    if seeds:
        return f"About {seeds} would {goal} {rate}; more items alone cannot."
    if needed.both:
        together = f"{_rounded_up(needed.both[0]):,} items with {needed.both[1]:,} seeds per arm"
        return f"Neither more items nor more seeds alone can {goal}; about {together} would, {rate}."
    return f"At this estimate not even {MOST_ITEMS:,} items or {MOST_SEEDS:,} seeds per arm would {goal}."


def _rounded_up(count: int) -> int:
    """To two significant digits, upwards: more would pretend to know."""
    step: int = 10 ** max(len(str(count)) - 2, 0)
    return -(-count // step) * step
