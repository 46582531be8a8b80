"""vanilla, soft-labels and ensemble: what the student is given."""

import numpy as np
import pytest

from tests.w2s.recording import fitted, make_context
from workers.w2s.objectives import CROSS_ENTROPY

WEAK = [[0.9, 0.5, 0.2], [0.51, 0.1, 0.7]]
TEACHERS = [[0.9, 0.2, 0.6], [0.8, 0.4, 0.6], [0.1, 0.9, 0.6]]


def test_vanilla_trains_on_labels_cut_at_one_half() -> None:
    weights = [[1, 1, 0], [1, 0, 1]]
    targets, given, objective, l2 = fitted("vanilla", make_context(WEAK, weights=weights))
    assert targets.tolist() == [[1, 0, 0], [1, 0, 1]]
    assert given.tolist() == weights
    assert objective is CROSS_ENTROPY
    assert l2 == "cv"


def test_soft_labels_trains_on_the_probabilities_themselves() -> None:
    targets, _, objective, l2 = fitted("soft-labels", make_context(WEAK), l2=0.3)
    np.testing.assert_array_equal(targets, np.float32(WEAK))
    assert objective is CROSS_ENTROPY
    assert l2 == 0.3


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.6, 0.5, 0.6]),
        ({"combine": "vote"}, [2 / 3, 1 / 3, 1]),
        ({"combine": "vote", "labels": "hard"}, [1, 0, 1]),
    ],
)
def test_the_ensemble_gives_every_seed_the_average_of_all_teachers(options: dict, expected: list[float]) -> None:
    targets, weights, *_ = fitted("ensemble", make_context(WEAK, teachers=TEACHERS), **options)
    np.testing.assert_allclose(targets, [expected, expected], atol=1e-6)
    assert weights.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_the_ensemble_refuses_a_context_without_teachers() -> None:
    with pytest.raises(ValueError, match="teacher_probs"):
        fitted("ensemble", make_context(WEAK))
