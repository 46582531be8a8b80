"""tests transferstats/pooling.py: a published example, sums by hand, coverage in worlds whose truth is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import t_quantile
from transferstats.pooling import paule_mandel, pool

# Kacker 2004, Metrologia 41:132, table 1: nine laboratories; his τ by Paule and Mandel is .8399.
LABORATORIES = [61.00, 61.40, 62.21, 62.30, 62.34, 62.60, 62.70, 62.84, 65.90]
VARIANCES = [0.2025, 1.2100, 0.0900, 0.2025, 0.3844, 0.5625, 0.0676, 0.0225, 1.8225]


def test_a_published_example() -> None:
    found = pool(LABORATORIES, VARIANCES)
    assert found.cells == 9
    assert found.tau == pytest.approx(0.8399, abs=5e-5)
    assert found.mean == pytest.approx(62.4076199, abs=1e-6)  # and se: R's metafor, method "PM"
    assert found.se == pytest.approx(0.3380306, abs=1e-6)
    assert found.i2 == pytest.approx(0.6774440, abs=1e-6)
    assert found.high - found.mean == pytest.approx(2.306004 * 0.3380306, abs=1e-5)  # t with 8
    assert found.new_high - found.mean == pytest.approx(2.364624 * math.hypot(0.8399, 0.3380306), abs=1e-3)  # with 7


def test_equal_variances_by_hand() -> None:
    """1, 2, 3, 6 with variance 1 each: mean 3, squares 14, so τ² = 14/3 − 1, and the SE is that of plain numbers."""
    found = pool([1, 2, 3, 6], [1, 1, 1, 1])
    assert found.mean == pytest.approx(3)
    assert found.tau**2 == pytest.approx(14 / 3 - 1)
    assert found.se == pytest.approx(math.sqrt(14 / 3 / 4))
    assert found.i2 == pytest.approx(1 - 3 / 14)
    assert found.high == pytest.approx(3 + t_quantile(3, 0.95) * found.se)


def test_cells_that_agree_by_luck_have_no_narrower_interval_than_their_noise() -> None:
    found = pool([0.5, 0.5, 0.5, 0.5], [0.01, 0.02, 0.03, 0.04])
    assert found.tau == found.i2 == 0
    assert found.se == pytest.approx(1 / math.sqrt(100 + 50 + 100 / 3 + 25))
    assert found.new_low < found.low < 0.5 < found.high < found.new_high


@given(data=st.lists(st.tuples(st.floats(-2, 2), st.floats(0.001, 1)), min_size=4, max_size=12))
def test_the_spread_solves_its_equation(data: list[tuple[float, float]]) -> None:
    y, v = np.array(data).T
    tau2 = paule_mandel(y, v)

    def squares(at: float) -> float:
        weights = 1 / (v + at)
        return float(weights @ (y - weights @ y / weights.sum()) ** 2)

    if tau2 == 0:
        assert squares(0) <= len(y) - 1
    else:
        assert squares(tau2) == pytest.approx(len(y) - 1, rel=1e-6)


@given(
    data=st.lists(st.tuples(st.floats(-2, 2), st.floats(0.01, 1)), min_size=4, max_size=8),
    shift=st.floats(-3, 3),
    scale=st.floats(0.1, 10),
)
def test_another_unit_changes_the_unit_only(data: list[tuple[float, float]], shift: float, scale: float) -> None:
    y, v = np.array(data).T
    one, other = pool(y, v), pool(scale * y + shift, scale**2 * v)
    assert other.mean == pytest.approx(scale * one.mean + shift, abs=1e-6)
    assert other.high - other.low == pytest.approx(scale * (one.high - one.low), rel=1e-4)
    assert other.tau == pytest.approx(scale * one.tau, abs=1e-4)


@pytest.mark.parametrize("tau", [0.0, 0.2])
def test_intervals_cover(tau: float) -> None:
    rng, many, k = np.random.default_rng(1), 2000, 5
    hits, new = 0, 0
    for _ in range(many):
        v = rng.uniform(0.005, 0.04, size=k)
        truths = 0.4 + tau * rng.normal(size=k + 1)
        found = pool(truths[:k] + np.sqrt(v) * rng.normal(size=k), v)
        hits += found.low <= 0.4 <= found.high
        new += found.new_low <= truths[k] <= found.new_high
    three_se = 3 * math.sqrt(0.05 * 0.95 / many)
    assert hits / many > 0.95 - three_se
    assert new / many > 0.90 - three_se  # short of .95, as its docstring says; .913 when written


@pytest.mark.parametrize(
    ("y", "v", "message"),
    [
        ([1, 2, 3], [1, 1, 1], "at least 4"),
        ([1, 2, 3, 4], [1, 1, 1], "variances"),
        ([1, 2, 3, 4], [1, 1, 1, 0], "positive"),
        ([1, 2, 3, math.nan], [1, 1, 1, 1], "finite"),
        ([1, 2, 3, 4], [1, 1, 1, math.inf], "finite"),
    ],
)
def test_what_cannot_be_pooled_is_refused(y: list[float], v: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pool(y, v)
