"""pca: a student that sees only the strongest directions."""

import numpy as np

from tests.w2s.recording import make_context, make_inputs, rows
from workers.w2s.heads import ProbeStudent
from workers.w2s.methods import METHODS, parse_options
from workers.w2s.methods.pca import principal_axes


def fit(context, **options):
    method = METHODS.get("pca")
    return method().fit(context, parse_options(method, options))


def test_axes_are_ordered_by_second_moment() -> None:
    axes = principal_axes(rows([[3, 0, 0], [0, 0, 1], [0, 2, 0]]), 2)
    np.testing.assert_allclose(np.abs(axes), [[1, 0], [0, 1], [0, 0]], atol=1e-7)
    assert principal_axes(rows(np.eye(3)), 9).shape == (3, 3)


def test_a_student_of_rank_one_is_blind_to_every_other_direction() -> None:
    features = rows([[4, 1], [-4, 1], [4, -1], [-4, -1]] * 5)
    weak = [[0.9, 0.1, 0.9, 0.1] * 5]
    predictor = fit(make_context(weak, features=features), rank=1, l2=0.01)
    probs = predictor(make_inputs([[4, 100], [4, -100], [-4, 0], [0, 7]]))[0]
    assert probs[0] == probs[1] > 0.8
    assert probs[2] < 0.2
    np.testing.assert_allclose(probs[3], 0.5, atol=1e-6)  # antisymmetric: no feature it sees, no opinion


def test_the_penalty_means_the_same_as_for_the_whole_features() -> None:
    generator = np.random.default_rng(0)
    features = rows(generator.normal(size=(40, 3)))
    features /= np.sqrt((features**2).mean())
    weak = [generator.random(40)]
    context = make_context(weak, features=features)
    whole = ProbeStudent(context).fit(context.weak_probs, context.weights, l2=0.1)
    np.testing.assert_allclose(fit(context, rank=3, l2=0.1)(context), whole(context), atol=2e-4)


def test_claims_are_centred_and_the_choice_of_penalty_is_told() -> None:
    generator = np.random.default_rng(1)
    features = rows(generator.normal(size=(60, 4)) + 5)
    context = make_context([generator.random(60)], features=features, kind="claim")
    probs = fit(context, rank=2)(context)
    assert probs.shape == (1, 60)
    assert [curve.x_label for curve in context.student.diary.curves] == ["l2"]
