"""noisy-channel: each step of expectation maximisation against numbers worked out by hand."""

import numpy as np
import pytest

from tests.w2s.recording import RecordingStudent, fitted, make_context
from workers.w2s.methods import LIKELIHOOD, METHODS, parse_options
from workers.w2s.methods.noisy_channel import channel_evidence, confidence_cells, fitted_scale


def test_cells_run_from_surely_wrong_to_surely_right() -> None:
    probs = np.float32([[0.05, 0.45, 0.55, 0.95, 0.4, 0.9]])
    # |p − .5| = .45 .05 .05 .45 .1 .4, median .25: two levels
    assert confidence_cells(probs, np.ones_like(probs), 2).tolist() == [[0, 1, 2, 3, 1, 3]]


def test_the_evidence_of_a_cell_is_its_smoothed_likelihood_ratio() -> None:
    cells = np.array([[0, 0, 1, 1]])
    posterior = np.array([[0.0, 0.5, 1.0, 1.0]])
    evidence = channel_evidence(cells, posterior, np.ones((1, 4)), 2, mirrored=False)
    # ones (.5, 2), zeros (1.5, 0); with 1 added: P(cell | 1) = 1.5/4.5, 3/4.5; P(cell | 0) = 2.5/3.5, 1/3.5
    low, high = np.log((1.5 / 4.5) / (2.5 / 3.5)), np.log((3 / 4.5) / (1 / 3.5))
    np.testing.assert_allclose(evidence, [[low, low, high, high]])


def test_a_mirrored_channel_treats_both_labels_alike() -> None:
    cells = np.array([[0, 0, 1, 1]])
    posterior = np.array([[0.0, 0.5, 1.0, 1.0]])
    evidence = channel_evidence(cells, posterior, np.ones((1, 4)), 2, mirrored=True)
    # ones (.5 + 0, 2 + 1.5) = (.5, 3.5), zeros the mirror image: ± log(4.5/1.5)
    np.testing.assert_allclose(evidence, np.log(3) * np.array([[-1, -1, 1, 1]]))


def test_the_scale_of_the_prior_is_the_one_dimensional_logistic_fit() -> None:
    log_odds = np.tile([1.0, -1.0, 1.0, -1.0], (3, 1))
    posterior = np.array([[0.75, 0.25, 0.75, 0.25], [0.25, 0.75, 0.25, 0.75], [1, 0, 1, 0]])
    # sigmoid(a) = .75 at a = ln 3; a prior that points the wrong way is not turned round; separation stops at 10
    np.testing.assert_allclose(fitted_scale(log_odds, posterior, np.ones((3, 4))), [np.log(3), 0, 10], atol=1e-6)


def test_one_round_with_a_flat_student_is_the_channel_alone() -> None:
    student = RecordingStudent(beliefs=lambda targets: np.full_like(targets, 0.5))
    context = make_context([[0.1, 0.3, 0.8, 0.9]], student=student)
    targets, *_ = fitted("noisy-channel", context, levels=1, rounds=1)
    # mirrored: right .9 + .8 + .7 + .9 = 3.3, wrong .7; with smoothing 4.3 : 1.7
    np.testing.assert_allclose(targets, [[1.7 / 6, 1.7 / 6, 4.3 / 6, 4.3 / 6]], atol=1e-6)
    (curve,) = context.student.diary.curves
    expected = np.mean([abs(1.7 / 6 - 0.1), abs(1.7 / 6 - 0.3), abs(4.3 / 6 - 0.8), abs(4.3 / 6 - 0.9)])
    assert curve.y[0][0] == pytest.approx(expected, abs=1e-6)


def test_the_prior_is_learnt_once_from_hard_labels_and_heard_every_round() -> None:
    student = RecordingStudent(beliefs=lambda targets: np.float32([[0.9, 0.9, 0.1, 0.9]]))
    context = make_context([[0.8, 0.7, 0.3, 0.45]], student=student)
    targets, *_ = fitted("noisy-channel", context, levels=1)
    (asked,) = student.asked
    assert asked.tolist() == [[1, 1, 0, 0]]
    assert (targets[0] > 0.5).tolist() == [True, True, False, True]  # three agreements make the prior worth more


def test_a_zero_shot_prior_can_overrule_the_teacher() -> None:
    prior = [3.0, 3.0, -3.0, -3.0, -3.0, 3.0]
    weak = [[0.7, 0.7, 0.3, 0.3, 0.3, 0.45]]
    context = make_context(weak, prior=prior)
    targets, *_ = fitted("noisy-channel", context, prior="likelihood", levels=1)
    assert (targets[0] > 0.5).tolist() == [True, True, False, False, False, True]
    assert not context.student.asked  # no cross-fitting with a given prior


def test_only_the_zero_shot_prior_needs_likelihoods() -> None:
    method = METHODS.get("noisy-channel")
    assert LIKELIHOOD not in method().needs(parse_options(method, {}))
    assert LIKELIHOOD in method().needs(parse_options(method, {"prior": "likelihood"}))
    assert method.Options.model_json_schema()["properties"]["prior"]["needs"] == {"likelihood": [LIKELIHOOD]}
