"""Flips are found, in whatever blocks and under however many tokens; honest seeds and methods are not."""

import numpy as np
import pytest

from oversight.detectors.near_duplicates import NearDuplicates
from oversight.facts import SessionFacts
from tests.oversight.detectors.worlds import World


def session(uploads):
    return SessionFacts(benchmark="world", uploads=tuple(uploads))


def attack(world, queries, block, keep=True):
    """Flip block after block of the least sure items, keep what scores higher."""
    current = world.arms[0].copy()
    sent, best = [current], world.accuracy(current)
    order = world.rng.permutation(world.n)
    for query in range(queries):
        tried = current.copy()
        tried[order[query * block : (query + 1) * block]] ^= True
        sent.append(tried)
        if keep and world.accuracy(tried) > best:
            current, best = tried, world.accuracy(tried)
    return sent


@pytest.mark.parametrize("block", [1, 2, 5, 10])
def test_ten_flips_of_a_block_are_held(block):
    world = World(seed=block)
    (found,) = NearDuplicates().inspect(session(world.uploads(attack(world, 10, block))))
    assert found.level == "hold"
    assert found.statistic == 10
    assert len(found.links) == 11
    assert found.blames == (("upload", 11),)  # the account's last step


def test_five_are_flagged_and_four_are_not():
    world = World()
    sent = attack(world, 5, 1)
    assert [each.level for each in NearDuplicates().inspect(session(world.uploads(sent)))] == ["flag"]
    assert NearDuplicates().inspect(session(world.uploads(sent[:5]))) == []


def test_two_accounts_that_share_a_chain_are_both_blamed():
    world = World()
    uploads = [world.upload(q, bits, submitter=1 + q % 2) for q, bits in enumerate(attack(world, 10, 3))]
    (found,) = NearDuplicates().inspect(session(uploads))
    assert found.level == "hold"
    assert {blame for _, blame in found.blames} == {9, 10}
    assert found.numbers["accounts"] == 2


def test_honest_sessions_of_seeds_methods_and_thresholds_are_never_held():
    levels = []
    for seed in range(60):
        world = World(n=(500, 1000, 2000)[seed % 3], seed=seed)
        vectors = []
        for _ in range(8):
            method = world.method()
            vectors += [world.seed(method) for _ in range(4)]
            vectors.append(method > 0.02)  # a nudge of the threshold
        levels += [each.level for each in NearDuplicates().inspect(session(world.uploads(vectors)))]
    assert levels.count("hold") == 0
    assert levels.count("flag") <= 1


def test_exact_repeats_are_no_steps():
    world = World()
    assert NearDuplicates().inspect(session(world.uploads([world.arms[0]] * 12))) == []


def test_nothing_or_one_upload_is_no_chain():
    world = World()
    assert NearDuplicates().inspect(session([])) == []
    assert NearDuplicates().inspect(session(world.uploads([np.ones(1000, bool)]))) == []
