"""tests transferstats/planning.py: the formula's own example, and the power that it promises."""

import math

import numpy as np
import pytest

from tests.transferstats.arms import accuracies_for, world
from transferstats.cells import Cell
from transferstats.planning import detectable, disagreement, minimum_detectable_pgr

USUAL = {"disagreement": 0.2, "seed_sd": 0.01, "seeds": 5, "items": 1000, "gap": 0.1}


def test_the_usual_cell_shows_two_fifths_of_the_gap() -> None:
    assert minimum_detectable_pgr(**USUAL) == pytest.approx(0.385, abs=0.0005)
    assert minimum_detectable_pgr(**{**USUAL, "gap": 0.2}) == pytest.approx(0.1926, abs=0.0005)
    assert minimum_detectable_pgr(**{**USUAL, "seed_sd": 0, "items": 4000}) == pytest.approx(
        2.4865 * math.sqrt(0.2 / 4000) / 0.1, rel=1e-4
    )


@pytest.mark.parametrize(
    "change", [{"gap": 0}, {"items": 0}, {"seeds": 0}, {"disagreement": 1.2}, {"seed_sd": -1}, {"gap": -0.1}]
)
def test_sizes_that_cannot_be_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        minimum_detectable_pgr(**{**USUAL, **change})


def test_disagreement_counts_pairs_of_runs() -> None:
    one, other = [[1, 1, 0, 0], [1, 1, 0, 0]], [[1, 0, 1, 0], [1, 1, 0, 0]]
    assert disagreement(one, other) == pytest.approx((2 / 4 + 0) / 2)
    assert disagreement(one, one) == 0


def test_frozen_arms_tell_what_a_candidate_could_show() -> None:
    arms = world(np.random.default_rng(0), accuracies_for(0.1), items=4000)
    frozen = {name: arms[name] for name in ("weak", "vanilla", "ceiling")}
    found = detectable(**frozen, seeds=5)
    assert found.items == 4000
    assert found.design_effect == 1
    assert found.pgr == pytest.approx(
        minimum_detectable_pgr(
            disagreement=found.disagreement, seed_sd=found.seed_sd, seeds=5, items=4000, gap=found.gap
        )
    )
    assert detectable(**frozen, seeds=50).pgr < found.pgr
    turned = {"weak": arms["ceiling"], "vanilla": arms["vanilla"], "ceiling": arms["weak"]}
    assert detectable(**turned, seeds=5).pgr is None


def test_items_of_one_question_count_for_less() -> None:
    arms = world(np.random.default_rng(0), accuracies_for(0.1), items=1000, spread=0.0)
    frozen = {name: np.repeat(arms[name], 4, axis=1) for name in ("weak", "vanilla", "ceiling")}
    found = detectable(**frozen, seeds=5, groups=np.repeat(np.arange(1000), 4))
    assert found.design_effect == pytest.approx(4, rel=0.01)


def test_what_is_said_to_be_detectable_is_detected_four_times_in_five() -> None:
    """A weak teacher and candidate that disagree as single runs do: one fixed set of predictions repeated."""
    rng, many, found = np.random.default_rng(2), 400, 0
    items, gap, share = 1000, 0.1, 0.2
    least = minimum_detectable_pgr(disagreement=share, seed_sd=0, seeds=2, items=items, gap=gap)
    for _ in range(many):
        weak = rng.random(items) < 0.65
        candidate = weak.copy()
        ups, downs = (share + least * gap) / 2, (share - least * gap) / 2
        candidate[~weak & (rng.random(items) < ups / 0.35)] = True
        candidate[weak & (rng.random(items) < downs / 0.65)] = False
        ceiling = weak | (rng.random(items) < gap / 0.35)
        rows = {"weak": weak, "candidate": candidate, "vanilla": weak, "ceiling": ceiling}
        found += Cell(**{name: np.stack([row, row]) for name, row in rows.items()}).p_above(0.0) < 0.05
    assert abs(found / many - 0.8) < 3 * math.sqrt(0.8 * 0.2 / many)
