"""What a transfer verdict costs, and how often it errs in worlds whose truth is known.

python -m bench.transfer [--worlds N]. Probit worlds: item, item × arm, run and item × run effects. At the margin (PGR
.20) neither "transfers" nor "does not transfer" is right, and each should be said in 5% of worlds at most; so "harms"
at PGR 0. Away from it the same columns show power. Covered: share of Fieller's 95% sets that hold the truth. Then: how
often the headline counts too many cells, and what pooled intervals cover.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tests.transferstats.arms import accuracies_for, truth, world
from transferstats.cells import Cell
from transferstats.many import at_least
from transferstats.pooling import pool
from transferstats.verdict import Outcome, judge

# items, gap, seeds, spread of runs (probit), PGR. A spread of .03 is .007 of accuracy, .06 twice that.
WORLDS = [
    *((n, 0.1, 5, 0.03, pgr) for n in (500, 1000, 2000, 5000) for pgr in (0.0, 0.2, 0.5)),
    *((1000, 0.2, 5, 0.03, pgr) for pgr in (0.0, 0.2, 0.5)),
    *((2000, 0.1, 5, 0.06, pgr) for pgr in (0.0, 0.2, 0.5)),
    *((1000, 0.1, seeds, 0.03, 0.2) for seeds in (2, 3, 8)),
    *((2000, 0.1, seeds, 0.06, 0.2) for seeds in (2, 3, 8)),
    (1000, 0.05, 5, 0.03, 0.2),
]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=200)
    many = parser.parse_args(argv).worlds
    print(f"\nOne cell of 4 arms × 5 seeds × 5,000 items, from arrays to verdict: {milliseconds():.0f} ms")
    print(f"\nOf {many} worlds each, one-sided alpha .05, margin .20; ±{1.96 * np.sqrt(0.05 * 0.95 / many):.3f} at .05")
    print("  items   gap  seeds  spread   PGR   transfers  does not  harms  inconclusive  not measurable  covered")
    for row, (items, gap, seeds, spread, pgr) in enumerate(WORLDS):
        rng = np.random.default_rng([1, row])  # rows of one stream would err together
        found, covered = rates(rng, items, gap, seeds, spread=spread, pgr=pgr, many=many)
        shares = [found[outcome] / many for outcome in ORDER]
        print(
            f"{items:7,}{gap:6.2f}{seeds:7}{spread:8.2f}{pgr:6.2f}{shares[0]:12.3f}{shares[1]:10.3f}{shares[2]:7.3f}"
            f"{shares[3]:14.3f}{shares[4]:16.3f}{covered / many:9.3f}",
            flush=True,
        )
    print(f"\nHeadline, {many} studies of six cells, two at PGR .80 and four at the margin: {headline(many)}")
    print(f"\nPooling, {many} studies each; SE of a cell's PGR .07 to .20")
    print("  cells  SD of truths  mean covered  new cell covered")
    for k in (4, 5, 8, 12):
        for tau in (0.0, 0.1, 0.2):
            print(f"{k:7}{tau:14.1f}{pooled(k, tau, many)}")


ORDER = (
    Outcome.TRANSFERS,
    Outcome.DOES_NOT_TRANSFER,
    Outcome.HARMS,
    Outcome.INCONCLUSIVE,
    Outcome.NOT_MEASURABLE,
)


def rates(
    rng: np.random.Generator, items: int, gap: float, seeds: int, *, spread: float, pgr: float, many: int
) -> tuple[Counter[Outcome], int]:
    """Outcomes of `many` worlds, and how many of Fieller's 95% sets hold the truth."""
    accuracies = accuracies_for(pgr, gap=gap)
    found, covered, right = Counter[Outcome](), 0, truth(accuracies, spread)
    for _ in range(many):
        cell = Cell(**world(rng, accuracies, items=items, seeds=seeds, spread=spread))
        found[judge(cell).outcome] += 1
        covered += right in cell.interval()
    return found, covered


def headline(many: int) -> str:
    """How often too many cells are counted, and both good ones; cells are drawn from a store of so many worlds."""
    rng = np.random.default_rng(5)
    good, margin = ([Cell(**world(rng, accuracies_for(pgr))).p_above(0.2) for _ in range(many)] for pgr in (0.8, 0.2))
    found = np.array([at_least([*rng.choice(good, 2), *rng.choice(margin, 4)]) for _ in range(many)])
    return f"more than two counted in {np.mean(found > 2):.3f}, two or more in {np.mean(found >= 2):.3f}"


def pooled(k: int, tau: float, many: int) -> str:
    """Shares of studies whose intervals hold the mean, and the truth of one cell more."""
    rng, mean, new = np.random.default_rng(3), 0, 0
    for _ in range(many):
        variances = rng.uniform(0.005, 0.04, size=k)
        truths = 0.4 + tau * rng.normal(size=k + 1)
        found = pool(truths[:k] + np.sqrt(variances) * rng.normal(size=k), variances)
        mean += found.low <= 0.4 <= found.high
        new += found.new_low <= truths[k] <= found.new_high
    return f"{mean / many:14.3f}{new / many:18.3f}"


def milliseconds() -> float:
    """The median of twenty verdicts."""
    arms = world(np.random.default_rng(0), accuracies_for(0.3), items=5000)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        judge(Cell(**arms))
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


if __name__ == "__main__":
    main()
