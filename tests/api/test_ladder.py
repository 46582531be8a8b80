"""The Ladder's answers and what they leak; experiments/ladder.py. Numbers worked out by hand."""

import math

import numpy as np
import pytest

from experiments.ladder import STEP, bias_bound, climb, leaked_bits


def test_the_first_query_is_told_rounded():
    assert climb(None, 0.7349) == (0.73, True)


@pytest.mark.parametrize(
    ("accuracy", "told", "moved"),
    [(0.60, 0.73, False), (0.74, 0.73, False), (0.7401, 0.74, True), (0.80, 0.80, True), (1.0, 1.0, True)],
)
def test_it_moves_only_by_more_than_a_step(accuracy, told, moved):
    assert climb(0.73, accuracy) == (told, moved)


def test_no_rung_is_skipped_by_rounding_of_binary_fractions():
    for rung in range(100):
        assert climb(rung / 100, (rung + 1) / 100) == (rung / 100, False)


def test_bits_are_updates_times_their_description():
    assert leaked_bits(0, 0) == 0
    assert leaked_bits(50, 0) == 0
    assert leaked_bits(1, 1) == pytest.approx(math.log2(100))
    assert leaked_bits(8, 3) == pytest.approx(3 * (3 + math.log2(100)))


def test_the_bias_bound_by_hand():
    # √((0 + ln 20) / 2000)
    assert bias_bound(0, 1000) == pytest.approx(0.0387, abs=1e-4)
    # √((20 ln 2 + ln 20) / 2000)
    assert bias_bound(20, 1000) == pytest.approx(0.0918, abs=1e-4)


def test_reading_labels_off_by_single_flips_learns_nothing():
    """The attack that exact scores allow: flip one prediction at a time, keep what helps."""
    generator = np.random.default_rng(7)
    labels = generator.integers(2, size=1000)
    guess = np.where(generator.random(1000) < 0.75, labels, 1 - labels)
    start = float((guess == labels).mean())
    best = climb(None, start).best
    for place in range(400):
        flipped = guess.copy()
        flipped[place] = 1 - flipped[place]
        best, moved = climb(best, float((flipped == labels).mean()))
        if moved:
            guess = flipped
    assert float((guess == labels).mean()) - start <= STEP
