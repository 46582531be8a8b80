"""From what code told of the labels it learned from to what can be compared with the truth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.inspecting import TrainedOn
from experiments.packed_labels import unpack_labels
from oversight.facts import ItemText

# Of the items a run may learn from. Who leaves items out keeps those on which labels are good, honestly so, and then
# they may well be better than the ceiling is on all.
WHOLE = 0.9
RUN_SHARE = 0.8  # of the questions, drawn from the run's seed


def trained_on(provenance: Mapping[str, Any], training: Sequence[ItemText]) -> TrainedOn | None:
    """Fits that left hardly an item out; None where there are none: recipes, and code with a student of its own."""
    groups = np.array([item.group for item in training], dtype=np.int64)
    fits = []
    for run in provenance.get("trained_on", ()):
        for told in run:
            labels, learnt = unpack_labels(told, len(training))
            if learnt.sum() >= WHOLE * RUN_SHARE * len(training) and len(np.unique(groups[learnt])) > 1:
                fits.append((labels, learnt))
    if not fits:
        return None
    return TrainedOn(np.stack([labels for labels, _ in fits]), np.stack([learnt for _, learnt in fits]), groups)
