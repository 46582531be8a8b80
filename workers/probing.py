"""Runs seeds of a scored experiment again under changed conditions; sees no label."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.conf import settings
from django.db import DatabaseError
from numpy.typing import NDArray

from experiments.heartbeat import Heartbeat
from experiments.lifecycle import ProbeKind
from experiments.services.leases import LeaseLost
from experiments.services.probes import ProbeClaim, claim_probe, fail_probe, record_probe, release_probe, renew_probe
from experiments.snapshots.selectors import files_of
from registry import UnknownName
from sandbox import SandboxUnavailable
from workers.catalogue import code_digest
from workers.code_method import run_code_method
from workers.lease import Reporter
from workers.training import MethodChanged
from workers.w2s.arena import Arena, MethodFailed, run_method
from workers.w2s.methods import LIKELIHOOD, NotOffered, OptionError
from workers.w2s.problem import Inputs
from workers.w2s.spec import Report, Split
from workers.warm import Opened, opened

log = logging.getLogger(__name__)

TESTED = (Split.DEV, Split.HOLDOUT)
REPORT_SECONDS = 5.0
_SCIENCE = (MethodFailed, MethodChanged, NotOffered, OptionError, UnknownName, SandboxUnavailable)
_BY_CHANCE = {ProbeKind.PERMUTED, ProbeKind.NOISE15, ProbeKind.NOISE30}
_SHARES = {ProbeKind.NOISE15: 0.15, ProbeKind.NOISE30: 0.30, ProbeKind.INVERTED: 1.0}

Floats = NDArray[np.float32]


class HalfArena:
    """An arena that shows a random half of the test items and everything of the rest."""

    def __init__(self, arena: Arena, seed: int) -> None:
        self._arena = arena
        rng = np.random.default_rng(seed)
        sizes = {split: len(arena.inputs(split)) for split in TESTED}
        self.rows = {split: np.sort(rng.permutation(size)[: size // 2]) for split, size in sizes.items()}
        self._halves = {split: half_of(arena.inputs(split), rows) for split, rows in self.rows.items()}

    def inputs(self, split: Split) -> Inputs:
        """As the arena's."""
        return self._halves.get(split) or self._arena.inputs(split)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._arena, name)


def half_of(inputs: Inputs, rows: NDArray[np.int64]) -> Inputs:
    """Those rows of some inputs."""
    return Inputs(
        items=tuple(inputs.items[row] for row in rows),
        features=inputs.features[rows],
        depths={layer: states[rows] for layer, states in inputs.depths.items()},
        prior_log_odds=None if inputs.prior_log_odds is None else inputs.prior_log_odds[rows],
        groups=inputs.groups[rows],
    )


def probe_next(*, worker: str) -> bool:
    """Claim the oldest waiting probe and run it. Returns: False where nothing waited, or runs go first."""
    claim = claim_probe(worker=worker)
    if claim is None:
        return False
    started = time.monotonic()
    try:
        doing = f"probing experiment {claim.experiment_id}: {claim.kind}"
        with Heartbeat(renew=lambda: renew_probe(token=claim.token), worker=worker, doing=doing) as heartbeat:
            report = Reporter(heartbeat, lambda progress: None, seconds=REPORT_SECONDS)
            place = opened(claim.benchmark_id, report)
            predictions = run_probe(claim, place, report)
            heartbeat.check()
        seconds = time.monotonic() - started
        record_probe(claim=claim, predictions=predictions, prior=_prior(place), seconds=seconds)
    except LeaseLost as error:
        log.warning("probe %s: %s; its result is dropped", claim.probe_id, error)
    except _SCIENCE as error:
        fail_probe(claim=claim, reason=str(error))
    except DatabaseError:
        raise  # the lease runs out and the probe is put back
    except Exception as error:
        fail_probe(claim=claim, reason=f"{type(error).__name__}: {error}")
        raise
    except BaseException:  # the worker is told to stop
        release_probe(claim=claim)
        raise
    return True


def run_probe(claim: ProbeClaim, place: Opened, report: Report) -> dict[str, Floats]:
    """Split -> (runs, items) predictions, NaN where an item was not asked. Raises: what the science raises."""
    if claim.code_digest and code_digest(claim.method) != claim.code_digest:
        raise MethodChanged(f"the code of {claim.method} has changed since this experiment ran: it cannot be probed")
    arena: Any = HalfArena(place.arena, claim.probe_id) if claim.kind == ProbeKind.BATCH else place.arena
    by_chance = claim.kind in _BY_CHANCE
    # One deal for all runs would make them all as good as that deal happens to be: each has its own
    parts = [[row] for row in range(len(claim.seeds))] if by_chance else [list(range(len(claim.seeds)))]
    found = [_run_part(claim, place, arena, part, report) for part in parts]
    predictions = {split: np.concatenate([each[split] for each in found]) for split in TESTED}
    if not isinstance(arena, HalfArena):
        return {str(split): predictions[split] for split in TESTED}
    return {str(split): _scattered(predictions, split, arena) for split in TESTED}


def _run_part(
    claim: ProbeClaim, place: Opened, arena: Any, rows: Sequence[int], report: Report
) -> Mapping[Split, Floats]:
    """Split -> predictions of those runs of the claim, which see the same changed labels."""
    seeds, indices = [claim.seeds[row] for row in rows], [claim.seed_indices[row] for row in rows]
    weak_probs = changed_labels(place.weak_probs, claim.kind, (claim.experiment_id, indices[0]))
    teacher_of = [index % len(weak_probs) for index in indices]
    if claim.snapshot_id is not None:
        files = files_of(claim.snapshot_id)
        return run_code_method(
            arena, files, seeds, weak_probs=weak_probs, teacher_of=teacher_of, report=report
        ).predictions
    return run_method(
        arena, claim.method, claim.options, seeds, weak_probs=weak_probs, teacher_of=teacher_of,
        cache_dir=settings.FEATURE_CACHE_DIR, report=report,
    ).predictions  # fmt: skip


def changed_labels(weak_probs: Floats, kind: str, seed: Sequence[int]) -> Floats:
    """(teachers, items) weak labels as a probe of that kind shows them.

    Permuted: dealt out anew, the same way for every teacher, so each keeps its class counts. Noise: so many of the
    items turned round. Inverted: all of them.
    """
    rng = np.random.default_rng(seed)
    items = weak_probs.shape[1]
    if kind == ProbeKind.PERMUTED:
        return weak_probs[:, rng.permutation(items)]
    share = _SHARES.get(ProbeKind(kind), 0.0)
    turned = rng.permutation(items) < round(share * items)
    return np.where(turned, 1 - weak_probs, weak_probs).astype(np.float32)


def _scattered(predictions: Mapping[Split, Floats], split: Split, arena: HalfArena) -> Floats:
    whole = np.full((len(predictions[split]), len(arena._arena.inputs(split))), np.nan, dtype=np.float32)
    whole[:, arena.rows[split]] = predictions[split]
    return whole


def _prior(place: Opened) -> dict[str, Floats]:
    """Zero-shot log-odds, where the benchmark offers them."""
    if LIKELIHOOD not in place.arena.spec.offers:
        return {}
    found = {str(split): place.arena.inputs(split).prior_log_odds for split in TESTED}
    return {split: values for split, values in found.items() if values is not None}
