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


def test_a_constant_is_a_note():
    world = World()
    assert levels(world.uploads([np.ones(1000, bool), np.zeros(1000, bool)])) == ["info", "info"]


def test_without_references_nothing_is_said():
    world = World()
    world.arms = []
    assert levels(world.uploads([world.noise(), world.noise()])) == []
