"""confidence-filter, probe-filter and knn-filter: which items are left to learn from."""

import numpy as np

from tests.w2s.recording import RecordingStudent, fitted, make_context
from workers.w2s.methods._selection import keep_highest


def test_the_confidence_filter_keeps_what_exceeds_the_threshold() -> None:
    context = make_context([[0.76, 0.75, 0.1, 0.4], [0.5, 0.9, 0.8, 0.2]], weights=[[1, 1, 1, 1], [1, 1, 0, 1]])
    targets, weights, *_ = fitted("confidence-filter", context)
    assert weights.tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]
    assert targets.tolist() == [[1, 1, 0, 0], [0, 1, 1, 0]]
    assert context.student.diary.lines == ["items kept per seed: 2/4, 2/3"]


def test_the_confidence_filter_keeps_the_surest_of_a_timid_teacher() -> None:
    weak = [[0.52, 0.45, 0.5, 0.58]]  # nothing above .75; half of four items: .58 and .45
    _, weights, *_ = fitted("confidence-filter", make_context(weak), at_least=0.5)
    assert weights.tolist() == [[0, 1, 0, 1]]


def test_the_probe_filter_drops_the_labels_the_student_contradicts_most() -> None:
    student = RecordingStudent(beliefs=lambda _: np.float32([[0.5, 0.2, 0.9, 0.6]]))
    context = make_context([[0.6, 0.9, 0.8, 0.1]], student=student)  # |p' − p| = .1 .7 .1 .5
    targets, weights, *_ = fitted("probe-filter", context, drop=0.5)
    assert weights.tolist() == [[1, 0, 1, 0]]
    assert targets.tolist() == [[1, 1, 1, 0]]


def test_the_neighbour_filter_drops_the_label_its_neighbours_contradict() -> None:
    angles = np.deg2rad([0, 2, 4, 90, 92, 94])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    weak = [[0.9, 0.9, 0.1, 0.2, 0.2, 0.2]]  # neighbour means .5 .5 .9 .2 .2 .2; distances .4 .4 .8 0 0 0
    _, weights, *_ = fitted("knn-filter", make_context(weak, features=features), neighbours=2, drop=1 / 6)
    assert weights.tolist() == [[1, 1, 0, 1, 1, 1]]


def test_the_highest_scores_are_kept_among_allowed_items_and_the_earlier_of_equals_stays() -> None:
    scores = np.float32([[3, 9, 3, 1]])
    weights = np.float32([[1, 0, 2, 1]])
    assert keep_highest(scores, weights, 1 / 3).tolist() == [[1, 0, 0, 0]]
    assert keep_highest(scores, weights, 0.01).tolist() == [[1, 0, 0, 0]]  # at least one
    assert keep_highest(scores, weights, 2 / 3).tolist() == [[1, 0, 2, 0]]
