"""logconf, entropy, product, reverse-kl and confidence-window hand the student their objective with its options."""

import numpy as np
import pytest

from tests.w2s.recording import fitted, make_context
from workers.w2s.objectives import ConfidenceWindow, Entropy, LogConfidence, Objective, Product, ReverseKL

WEAK = [[0.9, 0.2]]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("logconf", {}, LogConfidence(0.5, 0.2)),
        ("logconf", {"weight": 0.75, "ramp": 0}, LogConfidence(0.75, 0)),
        ("entropy", {"weight": 0.3}, Entropy(0.3, 0.2)),
        ("product", {"weak_power": 2, "own_power": 0.5}, Product(2, 0.5, 0.2)),
        ("reverse-kl", {}, ReverseKL(4)),
        ("confidence-window", {}, ConfidenceWindow(0.15)),
        ("confidence-window", {"radius": "midweak"}, ConfidenceWindow(None)),
    ],
)
def test_the_objective_carries_the_options(name: str, options: dict, expected: Objective) -> None:
    targets, weights, objective, l2 = fitted(name, make_context(WEAK, weights=[[1, 0]]), l2=2, **options)
    assert objective == expected
    assert l2 == 2
    np.testing.assert_array_equal(targets, np.float32(WEAK))
    assert weights.tolist() == [[1, 0]]


@pytest.mark.parametrize("name", ["logconf", "entropy", "reverse-kl", "confidence-window"])
def test_hard_labels_are_cut_at_one_half(name: str) -> None:
    targets, *_ = fitted(name, make_context(WEAK), labels="hard")
    assert targets.tolist() == [[1, 0]]
