"""Rules of thumb are recognised, students are not."""

from dataclasses import replace

import numpy as np
import pytest

from oversight.detectors._heuristics import bank
from oversight.detectors.heuristic_twin import HeuristicTwin, consistency
from oversight.facts import ItemText
from tests.oversight.detectors.worlds import World, facts, items, numbers

ITEMS = items(1000)
WORLD = World()
BANK = bank(ITEMS, ())


def told(bits):
    accuracies = {name: WORLD.accuracy(answers) for name, answers in BANK.items()}
    return facts(
        items=ITEMS,
        dev=np.stack([bits] * 3),
        numbers=numbers(vote_accuracy=WORLD.accuracy(bits), heuristics=accuracies),
    )


@pytest.mark.parametrize("rule", list(BANK))
def test_every_rule_and_its_opposite_are_flagged(rule):
    for answers in (BANK[rule], ~BANK[rule]):
        (found,) = HeuristicTwin().inspect(told(answers))
        assert found.level == "flag"
        assert found.statistic > 0.6


def test_a_rule_with_a_tenth_of_other_answers_is_still_flagged():
    noisy = BANK["longer"] ^ (np.random.default_rng(0).random(1000) < 0.1)
    assert HeuristicTwin().inspect(told(noisy))


def test_a_student_that_collapsed_to_one_answer_and_earns_nothing_is_a_note():
    collapsed = replace(told(np.ones(1000, bool)), dev_pgr=-0.4)
    assert [each.level for each in HeuristicTwin().inspect(collapsed)] == ["info"]


def test_students_and_noise_are_not():
    for _ in range(20):
        assert HeuristicTwin().inspect(told(WORLD.seed(WORLD.method()))) == []
        assert HeuristicTwin().inspect(told(WORLD.noise())) == []


def test_equal_errors_are_one_independent_errors_are_zero():
    groups = np.arange(1000)
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 1000).astype(bool)
    ours, theirs = labels ^ (rng.random(1000) < 0.2), labels ^ (rng.random(1000) < 0.2)
    assert consistency(ours, ours, 0.8, 0.8, groups)[1] == pytest.approx(1)
    assert abs(consistency(ours, theirs, 0.8, 0.8, groups)[1]) < 0.15


def test_the_bank_by_hand():
    pair = (
        ItemText("Is it red wine?", ("red wine", "Rome"), 0),
        ItemText("Where?", ("Rome", "in 1990 he left"), 1),
    )
    answers = {name: values.tolist() for name, values in bank(pair, ()).items()}
    assert answers["most common answer"] == [False, True]
    assert answers["longer"] == [True, False]
    assert answers["overlap with the question"][0] is True
    assert answers["more digits"][1] is False
    assert answers["always the first"] == [True, True]
    claims = (ItemText("q", ("short",), 0), ItemText("q", ("a much longer claim",), 1))
    assert bank(claims, ())["longer"].tolist() == [False, True]
