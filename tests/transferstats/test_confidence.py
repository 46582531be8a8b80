"""tests transferstats/confidence.py: sets of ratios against a grid of tests, and their shapes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import Contrast, fieller, t_quantile
from transferstats.confidence import Shape, confidence_set

VALUES = st.floats(-3, 3, allow_subnormal=False)


def contrasts(above: float, below: float, root: tuple[float, float, float]) -> tuple[Contrast, Contrast, float]:
    first, shared, second = root
    return (
        Contrast(above, first**2 + shared**2, 10),
        Contrast(below, second**2 + 0.01, 10),
        second * shared,
    )


@given(above=VALUES, below=VALUES, root=st.tuples(VALUES, VALUES, VALUES), t=st.floats(0.5, 4))
def test_the_set_is_what_the_tests_keep(above: float, below: float, root: tuple[float, ...], t: float) -> None:
    one, other, v12 = contrasts(above, below, root)
    found = confidence_set(one, other, v12, t)
    for ratio in np.concatenate([np.linspace(-5, 5, 41), [-1e3, 1e3]]):
        distance = abs(above - ratio * below)
        reach = t * np.sqrt(max(one.variance - 2 * ratio * v12 + ratio**2 * other.variance, 0))
        if abs(distance - reach) > 1e-6 * (1 + abs(ratio)):
            assert (ratio in found) == (distance <= reach)


def test_bounded_sets_are_fiellers_interval() -> None:
    above, below = Contrast(0.05, 1e-4, 8), Contrast(0.1, 2e-4, 8)
    found = confidence_set(above, below, 5e-5, t_quantile(8, 0.95))
    assert found.bounded
    assert (found.low, found.high) == pytest.approx(fieller(above, below, 5e-5))


def test_a_gap_within_its_noise_leaves_two_rays_or_everything() -> None:
    far, near, gap = Contrast(1.0, 0.01, 10), Contrast(0.05, 0.01, 10), Contrast(0.1, 0.01, 10)
    rays = confidence_set(far, gap, 0.0, 2.0)
    assert rays.shape is Shape.RAYS
    assert not rays.bounded
    assert rays.low < 0 < rays.high
    assert 0.0 not in rays
    assert 10.0 in rays
    assert -100.0 in rays
    line = confidence_set(near, gap, 0.0, 2.0)
    assert line.shape is Shape.LINE
    assert 0.0 in line


def test_no_gap_and_no_noise_exclude_nothing() -> None:
    nothing = Contrast(0.0, 0.0, 10)
    assert confidence_set(Contrast(1.0, 0.0, 10), nothing, 0.0, 2.0).shape is Shape.LINE


def test_a_gap_of_exactly_t_standard_errors_leaves_one_side_open() -> None:
    found = confidence_set(Contrast(1.0, 0.0, 10), Contrast(2.0, 1.0, 10), 0.0, 2.0)
    assert found.shape is Shape.INTERVAL
    assert found.high is None
    assert found.low == pytest.approx(0.25)
    assert not found.bounded
    mirrored = confidence_set(Contrast(-1.0, 0.0, 10), Contrast(2.0, 1.0, 10), 0.0, 2.0)
    assert (mirrored.low, mirrored.high) == (None, pytest.approx(-0.25))
