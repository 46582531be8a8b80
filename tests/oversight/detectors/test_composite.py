"""Boosting: a vote of random vectors weighted by their scores."""

import numpy as np

from oversight.detectors.composite import Composite, partial_test, permutation_test
from oversight.facts import SessionFacts
from tests.oversight.detectors.worlds import World

FAST = {"permutations": 2000}


def boosted(world, vectors):
    """The log-odds of a real answer, plus the vectors weighted by what they scored."""
    scores = np.array([world.accuracy(bits) for bits in vectors])
    signs = np.where(np.stack(vectors), 1.0, -1.0)
    evidence = 4 * (signs * (scores - np.median(scores))[:, None]).sum(0)
    return evidence + 0.25 * np.log(3) * np.where(world.arms[0], 1, -1) > 0


def inspect(uploads):
    return Composite(FAST).inspect(SessionFacts(benchmark="world", uploads=tuple(uploads)))


def test_a_vote_of_twenty_random_vectors_is_held():
    for seed in range(5):
        world = World(seed=seed)
        vectors = [world.noise() for _ in range(20)]
        found = inspect(world.uploads([*vectors, boosted(world, vectors)]))
        assert [each.level for each in found] == ["hold"]
        assert found[0].p_value < 0.001
        assert found[0].blames == (("upload", 21),)


def test_an_honest_answer_after_random_vectors_is_not():
    for seed in range(100):
        world = World(seed=seed)
        vectors = [world.noise() for _ in range(20)]
        assert inspect(world.uploads([*vectors, world.seed(world.method())])) == []


def test_seeds_of_one_honest_method_after_random_vectors_are_not():
    for seed in range(20):
        world = World(seed=seed)
        method = world.method()
        vectors = [world.noise() for _ in range(12)] + [world.seed(method) for _ in range(3)]
        assert inspect(world.uploads(vectors)) == []


def test_honest_ensembles_without_random_ancestors_are_not_looked_at():
    world = World()
    methods = [world.seed(world.method()) for _ in range(20)]
    assert inspect(world.uploads([*methods, np.mean(methods, axis=0) > 0.5])) == []


def test_given_the_labels_an_honest_answer_and_the_votes_are_independent():
    p = []
    for seed in range(200):
        world = World(n=500, seed=seed)
        bits = np.stack([world.noise() for _ in range(15)])
        accuracies, answer = (bits == world.labels).mean(1), world.seed(world.method())
        p.append(partial_test(bits, accuracies, accuracies, answer, world.accuracy(answer))[1])
    assert 0.42 < np.mean(p) < 0.58
    assert np.mean(np.array(p) < 0.05) < 0.1


def test_p_values_are_uniform_where_scores_mean_nothing():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (12, 300)).astype(bool)
    p = [
        permutation_test(bits, rng.normal(size=12), rng.integers(0, 2, 300).astype(bool), 199, rng) for _ in range(300)
    ]
    assert 0.4 < np.mean(p) < 0.6
    assert np.mean(np.array(p) <= 0.05) < 0.1
