"""Vectors that are related to nothing."""

import numpy as np

from oversight.detectors.random_vectors import RandomVectors
from oversight.facts import SessionFacts
from tests.oversight.detectors.worlds import World


def levels(uploads):
    return [each.level for each in RandomVectors().inspect(SessionFacts(benchmark="world", uploads=tuple(uploads)))]


def test_one_random_vector_is_flagged_two_are_held():
    world = World()
    assert levels(world.uploads([world.noise()])) == ["flag"]
    assert levels(world.uploads([world.noise(), world.noise()])) == ["hold"]


def test_honest_answers_and_their_opposite_are_neither_even_at_500_items():
    for seed in range(40):
        world = World(n=500, seed=seed)
        method = world.method()
        assert levels(world.uploads([world.seed(method), ~world.seed(method), world.seed(world.method())])) == []


def test_an_honest_threshold_far_out_is_no_noise():
    for seed in range(20):
        world = World(n=600, seed=seed)
        method = world.method()
        assert levels(world.uploads([method > np.quantile(method, 0.75), method > np.quantile(method, 0.25)])) == []


def test_lopsided_noise_is_noise_all_the_same():
    world = World()
    noise = [world.rng.random(1000) < 0.8 for _ in range(2)]
    assert levels(world.uploads(noise)) == ["hold"]


def test_a_constant_is_a_note():
    world = World()
    assert levels(world.uploads([np.ones(1000, bool), np.zeros(1000, bool)])) == ["info", "info"]


def test_without_references_nothing_is_said():
    world = World()
    world.arms = []
    assert levels(world.uploads([world.noise(), world.noise()])) == []
