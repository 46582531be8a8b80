"""One experiment from dataset to PGR on this machine, with the labels at hand."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics import Estimate, correctness, gap_over_se, paired_difference, pgr_interval
from workers.w2s.arena import Arena, method_digest, run_method
from workers.w2s.cli.baselines import Baselines, baselines
from workers.w2s.data import load_dataset
from workers.w2s.methods import METHODS, check_offers, parse_options
from workers.w2s.spec import BenchmarkSpec, Dataset, Report, Split, silent

TESTED = (Split.DEV, Split.HOLDOUT)

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SplitScores:
    """What came out on one split. accuracies: arm -> one per seed; the method's arm is called "method"."""

    n_items: int
    n_groups: int
    accuracies: Mapping[str, tuple[float, ...]]
    gap_over_se: float
    pgr: Estimate
    over_vanilla: Estimate
    control_pgr: Estimate


@dataclass(frozen=True, slots=True)
class Outcome:
    """An experiment with its scores. seconds: of the method alone, all seeds."""

    benchmark: str
    method: str
    options: Mapping[str, Any]
    seeds: tuple[int, ...]
    teachers: int
    seconds: float
    scores: Mapping[Split, SplitScores]
    digests: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Bench:
    """A benchmark with labels, open on this machine, and its baselines."""

    spec: BenchmarkSpec
    dataset: Dataset
    arena: Arena
    labels: Mapping[Split, NDArray[np.int8]]
    baselines: Baselines

    @classmethod
    def open(cls, spec: BenchmarkSpec, *, seeds: int, cache_dir: Path, report: Report = silent) -> "Bench":
        """Load the dataset, extract or map its features, train or read the baselines of so many seeds."""
        dataset = load_dataset(spec.dataset)
        rows = {split: dataset.indices(split) for split in Split}
        items = {split: [dataset.items[i] for i in part] for split, part in rows.items()}
        labels = {split: dataset.labels[part] for split, part in rows.items()}
        arena = Arena.open(spec, items, cache_dir=cache_dir, report=report)
        trained = baselines(arena, labels, dataset.digest, seeds=seeds, cache_dir=cache_dir, report=report)
        return cls(spec, dataset, arena, labels, trained)

    def run(
        self, method: str, options: Mapping[str, Any], report: Report = silent, *, seeds: int | None = None
    ) -> Outcome:
        """Run a method, by default on as many seeds as the baselines have."""
        many = seeds or len(self.baselines.seeds)
        digest = method_digest(method, options)
        drawn = tuple(run_seed(digest, self.spec.slug, index) for index in range(many))
        result = run_method(
            self.arena,
            method,
            options,
            drawn,
            weak_probs=self.baselines.weak[Split.STUDENT_TRAIN],
            teacher_of=[j % len(self.baselines.weak[Split.STUDENT_TRAIN]) for j in range(many)],
            cache_dir=self.arena.cache_dir,
            report=report,
        )
        scores = {split: self._score(split, result.predictions[split]) for split in TESTED}
        return Outcome(
            self.spec.slug,
            method,
            parse_options(METHODS.get(method), options).model_dump(),
            drawn,
            len(self.baselines.weak[Split.STUDENT_TRAIN]),
            result.seconds,
            scores,
            {"dataset": self.dataset.digest, "method": digest, **self.arena.digests},
        )

    def _score(self, split: Split, predictions: NDArray[np.float32]) -> SplitScores:
        truth, groups = self.labels[split], self.arena.inputs(split).groups
        right: dict[str, Bools] = {"method": correctness(predictions, truth)}
        right["weak"] = correctness(self.baselines.weak[split], truth)
        for arm, predicted in self.baselines.arms.items():
            right[arm] = correctness(predicted[split], truth)
        weak, ceiling = right["weak"], right["ceiling"]
        return SplitScores(
            n_items=len(truth),
            n_groups=len(np.unique(groups)),
            accuracies={arm: tuple(float(a) for a in rows.mean(axis=1)) for arm, rows in right.items()},
            gap_over_se=gap_over_se(weak, ceiling, groups),
            pgr=pgr_interval(right["method"], weak, ceiling, groups),
            over_vanilla=paired_difference(right["method"], right["vanilla"], weak, ceiling, groups),
            control_pgr=pgr_interval(right["control"], weak, ceiling, groups),
        )


def check_request(spec: BenchmarkSpec, method: str, options: Mapping[str, Any]) -> None:
    """Refuse what cannot run before minutes are spent. Raises: UnknownName, OptionError, NotOffered."""
    chosen = METHODS.get(method)
    check_offers(chosen, parse_options(chosen, options), spec.offers)


def run_seed(digest: str, benchmark: str, index: int) -> int:
    """The seed of run `index`: it follows from what is run, so nobody can pick a lucky one. Below 2^63."""
    hashed = hashlib.sha256(f"{digest}\n{benchmark}\n{index}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") >> 1
