"""The dev–holdout gap, the impossible score, label provenance."""

import numpy as np
import pytest

from metrics import expected_maximum
from oversight.detectors.dev_holdout_gap import DevHoldoutGap
from oversight.detectors.impossible_score import ImpossibleScore
from oversight.detectors.label_provenance import LabelProvenance
from tests.oversight.detectors.worlds import facts, numbers


def gap_flags(k, leak, sessions=400, n=1000, rho=0.8):
    """How often the best of k methods, all of one accuracy, is flagged with a leak on dev."""
    rng = np.random.default_rng(k)
    s = np.sqrt(0.75 * 0.25 / n)
    own = s * np.sqrt((1 - rho) * 1.2)  # of the difference to five references
    levels = []
    for _ in range(sessions):
        common = rng.normal(size=2)
        dev, hold = (
            0.75 + s * (np.sqrt(rho) * common[split] + np.sqrt(1 - rho) * rng.normal(size=k + 5)) for split in (0, 1)
        )
        best = int(dev[:k].argmax())
        told = facts(
            dev_accuracy=dev[best] + leak, holdout_accuracy=hold[best], candidates=k,
            numbers=numbers(dev_se=own, holdout_se=own, reference_gap=float((dev - hold)[k:].mean())),
        )  # fmt: skip
        levels += [each.level for each in DevHoldoutGap().inspect(told)]
    return len(levels) / sessions, levels.count("hold")


@pytest.mark.parametrize("k", [1, 10, 50])
def test_selection_alone_is_rarely_flagged_and_never_held(k):
    rate, holds = gap_flags(k, 0.0)
    assert rate < 0.025
    assert holds == 0


def test_a_leak_of_four_points_is_found():
    rate, holds = gap_flags(20, 0.04)
    assert rate > 0.9
    assert holds > 0


def test_the_expected_maximum_of_normals():
    assert [round(expected_maximum(k), 2) for k in (1, 10, 20, 50, 100)] == [0, 1.54, 1.87, 2.25, 2.51]


def test_without_numbers_nothing_is_said():
    assert DevHoldoutGap().inspect(facts(dev_accuracy=0.9, numbers=None)) == []
    assert DevHoldoutGap().inspect(facts(dev_accuracy=0.9, numbers=numbers(references=0))) == []


@pytest.mark.parametrize(
    ("low", "method_class", "level"),
    [(1.2, "weak_to_strong", "flag"), (1.2, "policy_gray", "info"), (0.99, "weak_to_strong", None), (None, "x", None)],
)
def test_a_score_above_the_ceiling(low, method_class, level):
    found = ImpossibleScore().inspect(facts(numbers=numbers(pgr_low=low), method_class=method_class))
    assert [each.level for each in found] == ([level] if level else [])


@pytest.mark.parametrize(("accuracy", "level"), [(0.99, "hold"), (0.927, "flag"), (0.9, None), (0.7, None)])
def test_labels_better_than_the_ceiling(accuracy, level):
    told = facts(numbers=numbers(pool_accuracy=accuracy, pool_ceiling=0.9, pool_se=0.01))
    assert [each.level for each in LabelProvenance().inspect(told)] == ([level] if level else [])


def test_changed_weak_labels_are_held():
    assert [each.level for each in LabelProvenance().inspect(facts(teacher_digests_hold=False))] == ["hold"]
