"""knn-relabel and label-propagation, and the neighbourhood they share."""

import numpy as np
import pytest

from tests.w2s.recording import fitted, make_context, make_inputs
from workers.w2s.methods._neighbours import nearest
from workers.w2s.methods.label_propagation import neighbourhood_graph, propagate

# three directions close to each other, the third pair with its responses swapped; one at a right angle
SWAPPED = [[1, 0], [1, 0.1], [-1, -0.2], [0, 1]]


def test_an_opposite_pair_is_a_neighbour_whose_label_counts_reversed() -> None:
    found = nearest(make_inputs(SWAPPED), 2)
    assert found.index[0, :2].tolist() == [1, 2]
    assert found.similarity[0, 0] > 0 > found.similarity[0, 1]
    probs = np.float32([[0.5, 0.9, 0.3, 0.5]])  # of item 0: .9 of item 1, 1 − .3 of item 2
    assert found.weak_mean(probs, np.ones_like(probs), 2)[0, 0] == pytest.approx(0.8)


def test_of_claims_only_parallel_features_are_near() -> None:
    features = [[1, 0], [1, 0.1], [-1, 0], [-1, 0.1]]  # mean (0, .05)
    found = nearest(make_inputs(features, kind="claim"), 1)
    assert found.index[:, 0].tolist() == [1, 0, 3, 2]
    assert (found.similarity >= 0).all()


def test_items_of_one_question_and_items_a_seed_may_not_see_have_no_say() -> None:
    features = [[1, 0], [1, 0.01], [1, 0.02], [1, 0.03]]
    found = nearest(make_inputs(features, groups=[7, 7, 8, 9]), 1)
    probs = np.float32([[0.1, 0.9, 0.6, 0.7]] * 2)
    weights = np.float32([[1, 1, 1, 1], [1, 1, 0, 1]])
    assert found.weak_mean(probs, weights, 1)[:, 0].tolist() == pytest.approx([0.6, 0.7])


def test_an_item_without_neighbours_gets_one_half() -> None:
    found = nearest(make_inputs([[1, 0], [0, 1]], groups=[1, 1]), 1)
    assert found.weak_mean(np.float32([[0.9, 0.9]]), np.float32([[1, 1]]), 1).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize(("labels", "expected"), [("soft", [0.8, 0.6, 0.3, 0.7]), ("hard", [1, 1, 0, 1])])
def test_relabelling_averages_over_the_neighbours(labels: str, expected: list[float]) -> None:
    weak = [[0.5, 0.9, 0.3, 0.5]]
    targets, weights, *_ = fitted("knn-relabel", make_context(weak, features=SWAPPED), neighbours=2, labels=labels)
    # 1: (.5 + .7)/2; 2 reversed: 1 − (.5 + .9)/2; 3 is nearest to 2 (−) and 1 (+): (.7 + .9)/2
    expected = [*expected[:3], 0.8 if labels == "soft" else 1]
    np.testing.assert_allclose(targets, [expected], atol=1e-6)
    assert weights.tolist() == [[1, 1, 1, 1]]


def test_propagation_reaches_the_fixed_point_worked_out_by_hand() -> None:
    found = nearest(make_inputs([[1, 0], [2, 0]]), 1)
    graph = neighbourhood_graph(found, 1)
    assert graph.toarray().tolist() == [[0, 1], [1, 0]]
    # F0 = .5·v0 + .5·F1, F1 = .5·v1 + .5·F0 with v = (1, −.5): F0 = 1/2, F1 = 0
    own = np.array([[1.0, -0.5]])
    np.testing.assert_allclose(propagate(graph, own, np.ones((1, 2)), 0.5), [[0.5, 0.0]], atol=1e-4)


def test_the_graph_is_normalised_and_links_swapped_pairs_with_a_minus() -> None:
    found = nearest(make_inputs([[1, 0], [-1, 0], [1, 0]]), 1)  # 0–1 (−), 1–0 (−), 2–0 (+) or 2–1 (−)
    dense = neighbourhood_graph(found, 2).toarray()
    off = 1 / 2  # every node has degree 2
    np.testing.assert_allclose(dense, [[0, -off, off], [-off, 0, -off], [off, -off, 0]], atol=1e-7)


def test_propagation_overrules_a_label_that_its_surroundings_contradict() -> None:
    features = [[1, 0.00], [1, 0.01], [1, 0.02], [1, 0.03], [-1, 0.02]]
    weak = [[0.9, 0.9, 0.3, 0.9, 0.2]] * 2
    weights = [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]
    context = make_context(weak, features=features, weights=weights)
    targets, given, *_ = fitted("label-propagation", context, neighbours=4, strength=0.8)
    assert targets[0].tolist() == [1, 1, 1, 1, 0]
    assert targets[1, :4].tolist() == [1, 1, 1, 1]
    assert given.tolist() == weights
