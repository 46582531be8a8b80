"""tests transferstats/many.py: adjusted p-values against their definitions, tried out in every combination."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from transferstats.many import at_least, benjamini_hochberg, holm, partial_conjunction

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=7)


@given(p_values=P_VALUES)
def test_holm_is_bonferroni_on_every_set_of_hypotheses(p_values: list[float]) -> None:
    """By closed testing: one is rejected if every intersection that holds it is, by Bonferroni."""
    k = len(p_values)
    for i, adjusted in enumerate(holm(p_values)):
        sets = [set(c) for size in range(1, k + 1) for c in combinations(range(k), size) if i in c]
        assert adjusted == pytest.approx(min(1, max(len(s) * min(p_values[j] for j in s) for s in sets)))


@given(p_values=P_VALUES)
def test_benjamini_hochberg_is_scipys(p_values: list[float]) -> None:
    np.testing.assert_allclose(benjamini_hochberg(p_values), false_discovery_control(p_values), atol=1e-12)


@given(p_values=P_VALUES)
def test_partial_conjunction_is_the_worst_of_bonferronis(p_values: list[float]) -> None:
    """Fewer than u are false if among some k − u + 1 all are true: the largest Bonferroni p of such sets."""
    k = len(p_values)
    found = partial_conjunction(p_values)
    worst = [
        max((k - u + 1) * min(p_values[j] for j in some) for some in combinations(range(k), k - u + 1))
        for u in range(1, k + 1)
    ]
    np.testing.assert_allclose(found, np.minimum(np.maximum.accumulate(worst), 1), atol=1e-12)
    assert found == sorted(found)


@given(p_values=P_VALUES)
def test_as_many_cells_are_counted_as_are_named(p_values: list[float]) -> None:
    assert at_least(p_values) == sum(p <= 0.05 for p in holm(p_values))


def test_a_table_by_hand() -> None:
    p_values = [0.01, 0.20, 0.012, 0.04]
    assert holm(p_values) == pytest.approx([0.04, 0.20, 0.04, 0.08])
    assert partial_conjunction(p_values) == pytest.approx([0.04, 0.04, 0.08, 0.20])
    assert benjamini_hochberg(p_values) == pytest.approx([0.024, 0.20, 0.024, 0.16 / 3])
    assert at_least(p_values) == 2


def test_no_cells_claim_nothing() -> None:
    assert holm([]) == partial_conjunction([]) == benjamini_hochberg([]) == []
    assert at_least([]) == 0


@pytest.mark.parametrize("p_values", [[math.nan], [-0.1], [0.5, 1.1]])
def test_what_is_no_p_value_is_refused(p_values: list[float]) -> None:
    for adjust in (holm, partial_conjunction, benjamini_hochberg):
        with pytest.raises(ValueError, match="p-values"):
            adjust(p_values)


def test_the_count_is_wrong_one_time_in_twenty_at_most() -> None:
    """Two of six cells transfer surely, four lie at the margin: three or more are claimed in 5% of studies."""
    rng = np.random.default_rng(0)
    claims = np.array([at_least([0.0, 0.0, *rng.random(4)]) for _ in range(4000)])
    assert (claims >= 2).all()
    rate = np.mean(claims > 2)
    assert rate < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4000)
    assert rate > 0.03
