"""Every objective's gradient, against numbers worked out by hand and against its loss."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from workers.w2s.objectives import (
    CROSS_ENTROPY,
    ConfidenceWindow,
    Entropy,
    LogConfidence,
    Product,
    ReverseKL,
    balance_threshold,
    ramped,
    weighted_median,
)

LN3 = math.log(3)  # sigmoid(ln 3) = 3/4


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None]


def gradient(objective, logits: Tensor, targets: Tensor, *, weights: Tensor | None = None, progress: float = 1.0):
    ones = torch.ones_like(logits) if weights is None else weights
    return objective.gradient(logits, targets, ones, progress)[:, 0].tolist()


def test_cross_entropy_pulls_to_the_target() -> None:
    assert gradient(CROSS_ENTROPY, column(LN3, 0, -LN3), column(0.5, 1, 0.25)) == pytest.approx([0.25, -0.5, 0])
    assert CROSS_ENTROPY.convex


def test_logconf_mixes_in_the_students_own_guess_at_the_balance_of_the_targets() -> None:
    logits, targets = column(LN3, 1, 0, -LN3), column(0.9, 0.1, 0.1, 0.1)  # one in four is positive: t = ln 3
    found = gradient(LogConfidence(0.5, 0.2), logits, targets)
    f = torch.sigmoid(logits)[:, 0].tolist()
    assert found == pytest.approx([0.75 - (0.45 + 0.5), f[1] - 0.05, 0.5 - 0.05, 0.25 - 0.05])


def test_the_weight_of_the_own_guess_grows_over_the_ramp() -> None:
    assert [ramped(0.5, 0.2, progress) for progress in (0, 0.05, 0.2, 0.9)] == pytest.approx([0, 0.125, 0.5, 0.5])
    assert ramped(0.5, 0, 0) == 0.5
    start = gradient(LogConfidence(0.5, 0.2), column(1, -1), column(0.9, 0.1), progress=0)
    assert start == pytest.approx(gradient(CROSS_ENTROPY, column(1, -1), column(0.9, 0.1)))


def test_the_threshold_counts_items_by_their_weight_and_each_student_by_itself() -> None:
    logits = torch.tensor([[4.0, 1.0], [3.0, 2.0], [2.0, 3.0], [1.0, 4.0]])
    targets = torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    assert balance_threshold(logits, targets, torch.ones(4, 2)).tolist() == [[3, 3]]
    weights = torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert balance_threshold(logits, targets, weights).tolist() == [[3, 1]]
    none = balance_threshold(logits, torch.zeros(4, 2), torch.ones(4, 2))
    assert none.tolist() == [[math.inf, math.inf]]


def test_entropy_takes_pressure_off_the_weak_labels() -> None:
    assert gradient(Entropy(0.5, 0.2), column(LN3), column(0.25)) == pytest.approx([0.25])
    assert gradient(Entropy(0.5, 0.2), column(LN3), column(0.25), progress=0.1) == pytest.approx([0.375])


def test_product_targets_the_product_of_both_beliefs() -> None:
    # odds 3 of the student times odds 3 of the teacher: 9, P = .9
    assert gradient(Product(1, 1, 0.2), column(LN3), column(0.75)) == pytest.approx([0.75 - 0.9])
    assert gradient(Product(1, 1, 0.2), column(LN3), column(0.75), progress=0) == pytest.approx([0], abs=1e-6)
    assert gradient(Product(2, 0, 0.2), column(0), column(0.75)) == pytest.approx([0.5 - 0.9])


def test_reverse_kl_is_the_derivative_of_kl_from_student_to_teacher() -> None:
    logits = column(0.3, -1.2, 2.0).requires_grad_()
    p = column(0.7, 0.4, 0.9)
    f = torch.sigmoid(logits)
    (f * (f / p).log() + (1 - f) * ((1 - f) / (1 - p)).log()).sum().backward()
    assert gradient(ReverseKL(4), logits.detach(), p) == pytest.approx(logits.grad[:, 0].tolist(), abs=1e-6)


def test_reverse_kl_clips_a_teacher_that_is_certain() -> None:
    assert gradient(ReverseKL(4), column(0), column(1)) == pytest.approx([0.25 * -4])


def test_the_confidence_window_leaves_sure_students_alone() -> None:
    logits, targets = column(LN3, 0.1, -LN3), column(0, 0, 1)
    f = torch.sigmoid(torch.tensor(0.1)).item()
    assert gradient(ConfidenceWindow(0.15), logits, targets) == pytest.approx([0, f, 0])
    assert gradient(ConfidenceWindow(0.3), logits, targets) == pytest.approx([0.75, f, -0.75])


def test_midweak_is_as_sure_as_the_median_weak_label() -> None:
    targets = column(0.6, 0.8, 0.05)  # |p − .5| = .1 .3 .45, median .3
    assert gradient(ConfidenceWindow(None), column(LN3, 2, 0), targets) == pytest.approx([0.15, 0, 0.45])
    assert weighted_median(column(3, 1, 2), column(1, 1, 5)).tolist() == [[2]]
    assert weighted_median(column(3, 1, 2), column(5, 1, 1)).tolist() == [[3]]


@pytest.mark.parametrize(
    "objective",
    [CROSS_ENTROPY, LogConfidence(), Entropy(), Product(), ReverseKL(), ConfidenceWindow(), ConfidenceWindow(None)],
)
def test_columns_do_not_see_each_other(objective) -> None:
    generator = np.random.default_rng(0)
    logits = torch.from_numpy(generator.normal(size=(30, 4)))
    targets, weights = (torch.from_numpy(generator.random((30, 4))) for _ in range(2))
    together = objective.gradient(logits, targets, weights, 0.5)
    for k in range(4):
        pick = slice(k, k + 1)
        alone = objective.gradient(logits[:, pick], targets[:, pick], weights[:, pick], 0.5)
        torch.testing.assert_close(together[:, pick], alone)
    assert torch.isfinite(together).all()
