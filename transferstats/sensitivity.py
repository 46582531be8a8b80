"""Two checks of a cell: crashed runs counted as failures, and an interval by resampling."""

import numpy as np
from numpy.typing import ArrayLike

from metrics import CANDIDATE, CEILING, WEAK
from transferstats.cells import ARMS, Cell

RESAMPLES = 2000


def with_failures(
    *,
    weak: ArrayLike,
    candidate: ArrayLike,
    vanilla: ArrayLike,
    ceiling: ArrayLike,
    planned: int,
    groups: ArrayLike | None = None,
) -> Cell:
    """The cell as if each run that was planned but never ended had recovered nothing: right as often as its teacher.

    Arms as for `Cell`, but of the candidate any number of runs may be left, none included: (0, items).
    planned: runs of the candidate in the plan. A missing run gets the weak teacher's mean correctness, item by item.
    Raises: ValueError where more runs ended than were planned, or as `Cell`.
    """
    survived = np.asarray(candidate, dtype=np.float64)
    if survived.ndim != 2 or len(survived) > planned:
        raise ValueError(f"candidate: {survived.shape} correctness, where {planned} runs were planned")
    nothing = np.asarray(weak, dtype=np.float64).mean(axis=0)
    rows = np.concatenate([survived, np.tile(nothing, (planned - len(survived), 1))])
    return Cell.of_shares(dict(zip(ARMS, (weak, rows, vanilla, ceiling), strict=True)), groups)


def resampled_interval(cell: Cell, *, seed: int, reference: str = WEAK) -> tuple[float, float] | None:
    """95% percentile interval of the ratio, questions and runs drawn anew; None where the gap is often not above 0.

    seed: of the resampling, so that the same data give the same interval. Wider than Fieller's by about a quarter.
    Source: Davison and Hinkley 1997, section 3.8 (two levels, both resampled).
    """
    return cell.arms.bootstrap(
        {CANDIDATE: 1, reference: -1},
        {CEILING: 1, WEAK: -1},
        resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    )
