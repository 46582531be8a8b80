"""The plan of a transfer study: everything that is decided before its first run, and the hash that proves it."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from experiments.errors import Refused
from experiments.lifecycle import RANKED, ExperimentState, Standing
from experiments.models import Baseline, Benchmark, Experiment
from experiments.services.experiments import MethodThere
from experiments.transfer.tried import tried_before
from metrics import expected_maximum
from transferstats.planning import minimum_detectable_pgr

VERSION = 1  # of the plan's shape and of how verdicts are reached
ALPHA = 0.05  # one-sided, of every verdict
SPLIT = "holdout"  # whose scores nobody who proposes methods is ever told
USUAL_THETA, USUAL_SEEDS, FEWEST_SEEDS, CONFIRMING_SEEDS = 0.2, 5, 3, 5
MOST_CELLS = 30
FEWEST_RUNS = 2  # with one, nobody knows how runs differ

STOP = "when the experiment of every cell has ended"
EXCLUSIONS = (
    "none: a run that fails is not replaced; the mean is over the others, and the sensitivity row counts each failed"
    " run as one that recovered nothing; a cell with fewer than two scored runs counts against transfer"
)


@dataclass(frozen=True, slots=True)
class CellPlan:
    """One cell as it stands before the study; `replicate` numbers its seeds, which no run has had."""

    there: MethodThere
    replicate: int
    facts: dict[str, Any]


def plan_of(source: Experiment, cells: Sequence[CellPlan], *, theta_min: float, seeds: int) -> dict[str, Any]:
    """The plan, as plain JSON values: the same question has the same plan, so the hash fixes it."""
    confirmatory = seeds >= CONFIRMING_SEEDS
    return {
        "version": VERSION,
        "experiment": source.pk,
        "method": source.method.name,
        "method_digest": source.method_digest,
        "options": source.options,
        "snapshot": source.snapshot.digest if source.snapshot else None,
        "source": _source(source),
        "kind": "confirmatory" if confirmatory else "exploratory",
        "split": SPLIT,
        "theta_min": theta_min,
        "alpha": ALPHA,
        "seeds": seeds,
        "correction": "holm" if confirmatory else "benjamini-hochberg",
        "exclusions": EXCLUSIONS,
        "stop": STOP,
        "cells": [each.facts for each in cells],
    }


def _source(source: Experiment) -> dict[str, Any]:
    """Where the method was chosen, and how much of its dev score being chosen explains: w_k = e_k·s.

    e_k: the expected maximum of k normals, k all scored experiments there that count if this one leads them, else 1.
    s: the standard error of its paired difference to the vanilla student, for what all candidates share moves all.
    """
    rivals = Experiment.objects.filter(
        benchmark=source.benchmark_id, method_class=source.method_class, state=ExperimentState.SCORED,
        standing=source.standing,
    )  # fmt: skip
    leads = source.dev_pgr is not None and not rivals.filter(dev_pgr__gt=source.dev_pgr).exists()
    chosen_of = rivals.count() if leads else 1
    spread = (source.dev_score.get("vanilla") or source.dev_score).get("se")
    bias = None if spread is None else expected_maximum(chosen_of) * spread
    return {
        "benchmark": source.benchmark.slug,
        "dev_pgr": source.dev_pgr,
        "chosen_of": chosen_of,
        "selection_bias": bias,
        "dev_pgr_less_bias": None if bias is None or source.dev_pgr is None else source.dev_pgr - bias,
    }


def hash_of(plan: dict[str, Any]) -> str:
    """SHA-256 of the plan as canonical JSON."""
    return hashlib.sha256(canonical(plan).encode()).hexdigest()


def canonical(plan: dict[str, Any]) -> str:
    """The plan as JSON with sorted keys and without spaces: the bytes, in UTF-8, that the hash is of."""
    return json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def plan_cell(source: Experiment, there: MethodThere, *, seeds: int, replicate: int, pointer: str) -> CellPlan:
    """One cell, with the smallest effect that it would detect.

    Raises: Refused for the source's own benchmark, one without frozen baselines, and code that is no longer the same.
    """
    benchmark = there.benchmark
    if benchmark.pk == source.benchmark_id:
        raise Refused(
            f"{benchmark.slug} is where #{source.pk} was chosen, so a win there is no evidence of transfer",
            pointer=pointer,
        )
    if _same_cell(benchmark, source.benchmark):
        raise Refused(
            f"{benchmark.slug} has the items and the models of {source.benchmark.slug}, where #{source.pk} was chosen:"
            " it is the same cell",
            pointer=pointer,
        )
    if there.digest != source.method_digest:
        raise Refused(
            f"the code of {there.method.name} has changed since #{source.pk}: rerun it, and study the rerun",
            pointer="#/experiment",
        )
    frozen = {each.arm: each for each in benchmark.baselines.filter(split=SPLIT)}
    missing = [arm for arm in (Baseline.Arm.WEAK, Baseline.Arm.CEILING, Baseline.Arm.VANILLA) if arm not in frozen]
    if missing:
        raise Refused(f"{benchmark.slug} has no frozen {', '.join(missing)} accuracy on {SPLIT}", pointer=pointer)
    single = [arm for arm in (Baseline.Arm.CEILING, Baseline.Arm.VANILLA) if len(frozen[arm].accuracies) < FEWEST_RUNS]
    if single:
        raise Refused(
            f"{benchmark.slug} has 1 seed of {', '.join(single)}, and two are needed to tell how seeds differ",
            pointer=pointer,
        )
    facts = _facts(benchmark, frozen, seeds) | {"replicate": replicate} | tried_before(source, there)
    return CellPlan(there, replicate, facts)


def check_distinct(cells: Sequence[CellPlan]) -> None:
    """Raises: Refused where two benchmarks are one cell: its verdict would count twice."""
    for index, cell in enumerate(cells):
        for other in cells[:index]:
            if _same_cell(cell.there.benchmark, other.there.benchmark):
                raise Refused(
                    f"{cell.there.benchmark.slug} has the items and the models of {other.there.benchmark.slug}: it is"
                    " the same cell, and would count twice",
                    pointer=f"#/cells/{index}/benchmark",
                )


def _same_cell(one: Benchmark, other: Benchmark) -> bool:
    """The same labels, weak and strong model, and way to train: offering methods more or less makes no other cell."""
    alike = all(getattr(one, name) == getattr(other, name) for name in ("weak_model", "strong_model", "student"))
    labels = [each.provenance.get("labels", {}).get("digest") for each in (one, other)]
    return alike and labels[0] is not None and labels[0] == labels[1]


def _facts(benchmark: Benchmark, frozen: dict[str, Baseline], seeds: int) -> dict[str, Any]:
    weak, ceiling, vanilla = (frozen[arm] for arm in (Baseline.Arm.WEAK, Baseline.Arm.CEILING, Baseline.Arm.VANILLA))
    gap = ceiling.mean - weak.mean
    spread = _spread(weak, vanilla, benchmark)
    return {
        "benchmark": benchmark.slug,
        "dataset": benchmark.dataset,
        "dataset_version": benchmark.dataset_version,
        "weak_model": benchmark.weak_model,
        "strong_model": benchmark.strong_model,
        "student": benchmark.student,
        "labels": benchmark.provenance.get("labels", {}).get("digest", ""),
        "n_items": vanilla.n_items,
        "weak": weak.mean,
        "vanilla": vanilla.mean,
        "ceiling": ceiling.mean,
        "gap": gap,
        "gap_over_se": gap / math.hypot(weak.se, ceiling.se) if weak.se or ceiling.se else None,
        **asdict(spread),
        "mde": _detectable(spread, gap, vanilla.n_items, seeds),
    }


@dataclass(frozen=True, slots=True)
class Spread:
    """What the smallest detectable effect rests on beside the sizes.

    disagreement: share of items on which single runs of two arms differ. design_effect: how many times the variance
    grows because items share questions. seed_sd: of accuracy, between runs. measured: False: the most it can be.
    """

    disagreement: float
    design_effect: float
    seed_sd: float
    measured: bool


def _spread(weak: Baseline, vanilla: Baseline, benchmark: Benchmark) -> Spread:
    """As measured when the arms were frozen; benchmarks frozen before that was done get bounds."""
    found = vanilla.provenance.get("planning")
    if found is not None:
        return Spread(**found, measured=True)
    questions = benchmark.items.filter(split=SPLIT).values("group").distinct().count()
    return Spread(
        disagreement=min(1.0, 2 - weak.mean - vanilla.mean),
        design_effect=max(1.0, vanilla.n_items / max(questions, 1)),
        seed_sd=vanilla.se_seeds * math.sqrt(max(len(vanilla.accuracies), 1)),
        measured=False,
    )


def _detectable(spread: Spread, gap: float, n_items: int, seeds: int) -> float | None:
    """In PGR; None without a gap."""
    if gap <= 0:
        return None
    return minimum_detectable_pgr(
        disagreement=spread.disagreement,
        seed_sd=spread.seed_sd,
        seeds=seeds,
        items=n_items / spread.design_effect,
        gap=gap,
    )


def detects_from(theta_min: float, mde: float | None) -> float | None:
    """The smallest true PGR that four of five studies find to transfer: the margin, and what can be told from it."""
    return None if mde is None else theta_min + mde


def check_source(source: Experiment) -> None:
    """Raises: Refused unless the experiment is scored and counts."""
    if source.state != ExperimentState.SCORED:
        raise Refused(
            f"#{source.pk} is {source.state}: only a scored experiment can be studied", pointer="#/experiment"
        )
    if source.standing not in RANKED:
        raise Refused(
            f"#{source.pk} is {Standing(source.standing).label.lower()}: what does not count is not studied",
            pointer="#/experiment",
        )
