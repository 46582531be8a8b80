"""Seeds that are not told of, and seeds that are too good."""

from dataclasses import replace

import numpy as np
import pytest

from oversight.detectors.seed_ledger import SeedLedger
from oversight.detectors.seed_replicate import SeedReplicate, welch
from oversight.facts import Attempt, Citation, RunScore
from tests.oversight.detectors.worlds import World, facts


def attempt(number, same="digest", runs=5, accuracy=0.7):
    return Attempt(number, same, "scored", runs, accuracy)


def test_a_finding_that_leaves_out_a_replicate_is_flagged():
    told = facts(attempts=(attempt(3),), citations=(Citation(11, frozenset({7})),))
    (found,) = SeedLedger().inspect(told)
    assert (found.level, found.statistic) == ("flag", 5)
    assert ("finding", 11) in found.links and ("experiment", 3) in found.links


def test_citing_both_or_nothing_is_honest():
    both = facts(attempts=(attempt(3),), citations=(Citation(11, frozenset({3, 7})),))
    assert SeedLedger().inspect(both) == []
    assert SeedLedger().inspect(facts(attempts=(attempt(3),))) == []


def test_an_attempt_whose_score_nobody_saw_hides_nothing():
    assert SeedLedger().inspect(facts(attempts=(attempt(3, runs=0),), citations=(Citation(1, frozenset({7})),))) == []


@pytest.mark.parametrize(("count", "flags"), [(2, 0), (3, 1)])
def test_look_alikes_count_from_the_third(count, flags):
    several = tuple(attempt(number, same="code") for number in range(1, count + 1))
    assert len(SeedLedger().inspect(facts(attempts=several, citations=(Citation(1, frozenset({7})),)))) == flags


def uploads_of(world, method, seeds, best):
    """The `best` of so many seeds of a method, and the lab's own ten."""
    scored = sorted((world.seed(method) for _ in range(seeds)), key=world.accuracy)
    own = np.stack([world.seed(method) for _ in range(10)])
    runs = tuple(RunScore(row, row, world.accuracy(bits), 0.75) for row, bits in enumerate(own))
    return facts(runs=runs, dev=own, uploads=world.uploads(scored[-best:]))


def test_the_best_five_of_two_hundred_seeds_are_found_and_five_of_five_are_not():
    lucky = honest = 0
    for seed in range(20):
        world = World(seed=seed)
        lucky += bool(SeedReplicate().inspect(uploads_of(world, world.method(), 200, 5)))
        honest += bool(SeedReplicate().inspect(uploads_of(world, world.method(), 5, 5)))
    assert lucky >= 18
    assert honest <= 1


def test_uploads_of_other_methods_or_accounts_are_not_compared():
    world = World()
    told = uploads_of(world, world.method(), 200, 5)
    assert SeedReplicate().inspect(replace(told, submitter=9)) == []
    assert SeedReplicate().inspect(replace(told, uploads=world.uploads([world.labels] * 5))) == []


def test_welch_by_hand():
    t, p = welch(np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0]))
    assert t == pytest.approx(2 / np.sqrt(2 / 3))
    assert p == pytest.approx(0.0353, abs=1e-3)
    assert welch(np.ones(3), np.ones(3)) == (0.0, 1.0)
