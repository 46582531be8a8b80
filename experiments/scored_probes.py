"""Makes numbers of a probe's predictions; on the evaluation queue only: it reaches the scorer, and so the labels."""

import logging
from dataclasses import asdict

import numpy as np
from django.db import DatabaseError, transaction
from django.utils import timezone

from experiments import dispatch
from experiments.inspecting import drop_of
from experiments.lifecycle import SAME_ANSWERS, ProbeState, RunState
from experiments.models import Prediction
from experiments.probe_models import Probe
from experiments.services.probes import Floats, unpacked

log = logging.getLogger(__name__)

TEST_SPLITS = ("dev", "holdout")


def score_probe(probe_id: int) -> bool:
    """Returns: whether there was anything to do. What breaks fails the probe, with that reason, and is raised."""
    try:
        with transaction.atomic():
            locked = Probe.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
            rows = locked.select_related("experiment__benchmark")
            probe = rows.filter(pk=probe_id, state=ProbeState.EVALUATING).first()
            if probe is None:
                return False
            probe.numbers, probe.state, probe.finished_at = _numbers(probe), ProbeState.DONE, timezone.now()
            probe.save(update_fields=["numbers", "state", "finished_at"])
            dispatch.inspect_again(probe.experiment_id)
            return True
    except (DatabaseError, OSError):
        raise
    except Exception as error:
        failed = Probe.objects.filter(pk=probe_id, state=ProbeState.EVALUATING)
        failed.update(state=ProbeState.FAILED, finished_at=timezone.now(), error=f"{type(error).__name__}: {error}")
        raise


def _numbers(probe: Probe) -> dict[str, float]:
    before, after = _stored(probe), {split: unpacked(probe.predictions[split], probe.seeds) for split in TEST_SPLITS}
    if probe.kind in SAME_ANSWERS:
        asked = {split: np.isfinite(after[split]) for split in TEST_SPLITS}
        differ = [((before[s] >= 0.5) != (after[s] >= 0.5))[asked[s]] for s in TEST_SPLITS]
        return {"differing": float(sum(map(np.sum, differ))), "compared": float(sum(map(np.size, differ)))}
    prior = {split: unpacked(probe.prior[split]) >= 0 for split in TEST_SPLITS} if probe.prior else None
    return asdict(drop_of(probe.experiment.benchmark, before, after, prior))


def _stored(probe: Probe) -> dict[str, Floats]:
    """Split -> (runs, items) as the runs that it repeats predicted."""
    runs = probe.experiment.runs.filter(state=RunState.SCORED).order_by("seed_index")[: probe.seeds]
    keys = [run.pk for run in runs]
    rows = Prediction.objects.filter(run__in=keys, split__in=TEST_SPLITS)
    found = {(row.run_id, row.split): np.frombuffer(bytes(row.probs), dtype="<f4") for row in rows}
    return {split: np.stack([found[key, split] for key in keys]) for split in TEST_SPLITS}
