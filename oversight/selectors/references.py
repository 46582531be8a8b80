"""Answers of the lab's own recipes: what honest work on a benchmark looks like, the failures among it included."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from experiments.archives.models import imported
from experiments.lifecycle import RunState
from experiments.models import Benchmark, Run
from oversight.facts import Bits
from oversight.selectors.predictions import bits_of_runs

MOST_REFERENCES = 64
MOST_OF_A_METHOD = 6
LOOKED_AT = 512  # newest first runs among which they are chosen


class References:
    """First runs of recipes, at most MOST_OF_A_METHOD of each. Never of code: its author chooses what it answers."""

    def __init__(self, benchmark: Benchmark) -> None:
        rows = Run.objects.filter(experiment__benchmark=benchmark, state=RunState.SCORED, seed_index=0)
        rows = rows.filter(experiment__snapshot=None).filter(~imported("runs")).order_by("-id")
        methods: Counter[int] = Counter()
        chosen: dict[int, int] = {}
        for run, experiment, method in rows.values_list("pk", "experiment_id", "experiment__method_id")[:LOOKED_AT]:
            if methods[method] < MOST_OF_A_METHOD and len(chosen) < MOST_REFERENCES:
                methods[method] += 1
                chosen[run] = experiment
        bits = bits_of_runs(chosen)
        self.experiments = np.array([chosen[run] for run in bits], dtype=np.int64)
        self._signs = np.array([each["dev"] for each in bits.values()], dtype=np.float32) * 2 - 1

    def agreements(self, bits: Bits) -> NDArray[np.float64]:
        """(vectors, references) share of dev items on which they agree. bits: (vectors, items)."""
        if not len(self.experiments) or not len(bits):
            return np.zeros((len(bits), 0))
        return np.asarray((1 + (bits.astype(np.float32) * 2 - 1) @ self._signs.T / bits.shape[1]) / 2, dtype=np.float64)
