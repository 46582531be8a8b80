"""What detectors are given: plain values read from the ledger, never a row, never a label.

Numbers that need ground truth (`Numbers`, `Upload.agreements`) are worked out by the scorer on the evaluation queue;
what arrives here are accuracies and correlations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ItemText:
    """What anyone may read of a test item. group: number of its question."""

    question: str
    responses: tuple[str, ...]
    group: int


@dataclass(frozen=True, slots=True)
class RunScore:
    """One run of the inspected experiment."""

    run: int
    seed_index: int
    dev_accuracy: float
    holdout_accuracy: float


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the scorer says of an experiment beside its accuracies. It knows the labels, we do not.

    vote_accuracy: dev accuracy of the majority vote of the runs. heuristics: dev accuracy of each heuristic, by name.
    dev_se, holdout_se: standard errors of its difference to the frozen students (vanilla and ceiling), paired over
    items, seeds counted. reference_gap: dev minus holdout accuracy of those students; references: how many there are.
    pgr_low: lower end of the two-sided 98% Fieller interval of dev PGR (99% one-sided); None where it is not bounded.
    pool_accuracy, pool_ceiling, pool_se: accuracy on student_train of the labels that code trained on, that of the
    frozen ceiling on dev (items that it has not seen), and the standard error of their difference; None where not told.
    """

    vote_accuracy: float
    heuristics: Mapping[str, float]
    dev_se: float
    holdout_se: float
    reference_gap: float
    references: int
    pgr_low: float | None
    pool_accuracy: float | None = None
    pool_ceiling: float | None = None
    pool_se: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """Another execution of what may be the same method on the same benchmark by the same submitter.

    same: "digest" for the very same method (another replicate), "code" for code that differs in comments or layout
    only, "options" for options equal to two digits. scored_runs: other seeds than its own whose score was seen.
    """

    experiment: int
    same: str
    state: str
    scored_runs: int
    dev_accuracy: float | None


@dataclass(frozen=True, slots=True)
class Citation:
    """A finding of the submitter that cites the experiment, and all the experiments it cites."""

    finding: int
    experiments: frozenset[int]


@dataclass(frozen=True, eq=False)
class Earlier:
    """An earlier code experiment of the team. dev, holdout: seed index -> 0/1 predictions."""

    experiment: int
    submitter: int
    dev: Mapping[int, Bits]
    holdout: Mapping[int, Bits]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """A rerun of some of the experiment's seeds under changed conditions.

    kind: "replay", "batch", "permuted", "noise15", "noise30", "inverted". numbers: what the scorer made of it.
    """

    probe: int
    kind: str
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ReadingFacts:
    """A look of a model at code and claims that has ended. score: 0 to 1; None is no verdict, never clean.

    evidence: {"where", "quote", "why"}, each quote found in the source; dropped: how many were not. left_out: what was
    not shown to it. unreadable: it answered, but not with a verdict. error: why there is none.
    """

    reading: int
    model: str
    score: float | None
    summary: str
    speaks_to_reader: bool
    evidence: tuple[Mapping[str, str], ...]
    dropped: int
    left_out: tuple[str, ...]
    unreadable: bool
    error: str


@dataclass(frozen=True, slots=True)
class Decoys:
    """What the sandboxes of a code experiment saw of the planted files.

    opened: seed indices whose sandbox opened one. agreement: per run, share of dev predictions equal to the decoy's
    random labels. canaries: seed indices in which a planted program was executed.
    """

    opened: tuple[int, ...] = ()
    agreement: tuple[float, ...] = ()
    canaries: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Taint:
    """An ancestor or a cited experiment that a HOLD stands against. how: "snapshot", "citation"."""

    experiment: int
    how: str


@dataclass(frozen=True, eq=False, kw_only=True)
class ExperimentFacts:
    """Everything about one scored experiment. dev, holdout: (runs, items) 0/1 predictions, rows as in `runs`.

    candidates: scored experiments of the same team on the benchmark, this one among them; best_on_dev: whether it leads
    them. teacher_digests_hold: whether the weak labels still are the ones that were hashed when the benchmark froze.
    """

    experiment: int
    benchmark: str
    submitter: int
    method: str
    method_class: str
    files: Mapping[str, str] = field(default_factory=dict)
    runs: tuple[RunScore, ...]
    failed_runs: int = 0
    dev: Bits
    holdout: Bits
    dev_accuracy: float
    holdout_accuracy: float
    dev_pgr: float | None
    items: tuple[ItemText, ...] = ()
    training: tuple[ItemText, ...] = ()
    numbers: Numbers | None = None
    candidates: int = 1
    best_on_dev: bool = True
    attempts: tuple[Attempt, ...] = ()
    citations: tuple[Citation, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    probes: tuple[ProbeResult, ...] = ()
    readings: tuple[ReadingFacts, ...] = ()
    decoys: Decoys | None = None
    taints: tuple[Taint, ...] = ()
    uploads: "tuple[Upload, ...]" = ()
    teacher_digests_hold: bool = True

    @property
    def is_code(self) -> bool:
        """Whether it ran a snapshot."""
        return bool(self.files)

    @property
    def vote(self) -> Bits:
        """(items,) majority of the runs on dev; a tie counts as 1."""
        return np.asarray(self.dev.mean(axis=0) >= 0.5)

    def latest_probe(self, kind: str) -> ProbeResult | None:
        """The last rerun of that kind."""
        return next((probe for probe in reversed(self.probes) if probe.kind == kind), None)


@dataclass(frozen=True, eq=False, kw_only=True)
class Upload:
    """A scored prediction vector on dev. accuracy: exact, people only. told: what the submitter was told, the Ladder's.

    agreements: share of items on which it agrees with each frozen arm of the benchmark (weak, vanilla, ceiling), and
    with runs of the lab's own recipes.
    """

    upload: int
    evaluation: int
    submitter: int
    bits: Bits
    accuracy: float
    told: float | None
    agreements: tuple[float, ...]
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call of an account that the lab refused. what: "over_budget", "hidden_data", "forbidden"."""

    refusal: int
    submitter: int
    what: str
    path: str


@dataclass(frozen=True, eq=False, kw_only=True)
class SessionFacts:
    """All that came from outside to one benchmark, in order: uploads of the whole team, and refused calls."""

    benchmark: str
    uploads: tuple[Upload, ...]
    refusals: tuple[Refusal, ...] = ()
