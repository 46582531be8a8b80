"""self-distillation: every generation learns from the one before."""

import numpy as np

from tests.w2s.recording import RecordingStudent, fitted, make_context


def test_each_generation_is_trained_on_the_beliefs_of_the_last() -> None:
    student = RecordingStudent(beliefs=lambda targets: targets / 2)
    targets, *_ = fitted("self-distillation", make_context([[0.8, 0.4]], student=student), rounds=3)
    np.testing.assert_allclose(np.concatenate(student.asked), [[0.8, 0.4], [0.4, 0.2], [0.2, 0.1]], atol=1e-7)
    np.testing.assert_allclose(targets, [[0.1, 0.05]], atol=1e-7)


def test_hard_generations_are_cut_at_one_half() -> None:
    student = RecordingStudent(beliefs=lambda targets: 0.2 + 0.4 * (1 - targets))
    targets, *_ = fitted("self-distillation", make_context([[0.8, 0.4]], student=student), rounds=1, labels="hard")
    assert student.asked[0].tolist() == [[1, 0]]
    assert targets.tolist() == [[0, 1]]
