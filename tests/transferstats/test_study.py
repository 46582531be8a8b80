"""tests transferstats/study.py: what a study says of many cells, and what it does not let in."""

from dataclasses import replace

import numpy as np
import pytest

from tests.transferstats.arms import accuracies_for, world
from transferstats.cells import Cell
from transferstats.study import Judged, Role, summarise
from transferstats.verdict import Outcome, Verdict, judge


@pytest.fixture(scope="module")
def base() -> Verdict:
    return judge(Cell(**world(np.random.default_rng(0), accuracies_for(0.5))))


def cells(base: Verdict, p_values: list[float], role: Role = Role.CONFIRMATORY) -> list[Judged]:
    return [Judged(f"{role} {i}", role, replace(base, p_transfers=p)) for i, p in enumerate(p_values)]


def test_the_headline_counts_cells(base: Verdict) -> None:
    found = summarise(cells(base, [0.01, 0.20, 0.012, 0.04]))
    assert found.headline == "Transfers in at least 2 of 4 cells (p = 0.040)."
    assert (found.transfers_in, found.cells, found.p_value) == (2, 4, pytest.approx(0.04))
    assert found.confirmed == ("confirmatory 0", "confirmatory 2")
    assert found.adjusted["confirmatory 3"] == pytest.approx(0.08)


def test_nothing_shown_is_said_so(base: Verdict) -> None:
    found = summarise(cells(base, [0.3, 0.1]))
    assert found.headline == "Not shown to transfer to any of 2 cells (p = 0.200)."
    assert found.transfers_in == 0
    assert summarise([]).headline == "No confirmatory cell: nothing is claimed."
    assert summarise(cells(base, [1e-9])).headline == "Transfers in at least 1 of 1 cells (p < 0.001)."


def test_the_source_cell_changes_nothing(base: Verdict) -> None:
    source = Judged("source", Role.SOURCE, replace(base, p_transfers=0.0, pgr=99.0))
    planned = cells(base, [0.01, 0.20, 0.012, 0.04])
    assert summarise([source, *planned]) == summarise(planned)
    assert summarise([source]).cells == 0


def test_exploration_is_adjusted_apart(base: Verdict) -> None:
    explored = cells(base, [0.01, 0.06, 0.5], Role.EXPLORATORY)
    planned = cells(base, [0.01, 0.20])
    found = summarise([*planned, *explored])
    assert found.transfers_in == summarise(planned).transfers_in == 1
    assert found.promising == ("exploratory 0", "exploratory 1")
    assert found.adjusted["exploratory 1"] == pytest.approx(0.09)
    assert found.adjusted["confirmatory 0"] == pytest.approx(0.02)


def test_a_cell_that_is_not_measurable_counts_against_the_claim() -> None:
    good = judge(Cell(**world(np.random.default_rng(0), accuracies_for(0.9, gap=0.2))))
    blind = judge(Cell(**world(np.random.default_rng(1), accuracies_for(0.9, gap=0.01), items=200)))
    assert blind.outcome is Outcome.NOT_MEASURABLE
    found = summarise([Judged("a", Role.CONFIRMATORY, good), Judged("b", Role.CONFIRMATORY, blind)])
    assert found.headline.startswith("Transfers in at least 1 of 2 cells")
    assert found.adjusted["b"] == 1


def test_four_measurable_cells_are_pooled_and_three_are_not() -> None:
    verdicts = [judge(Cell(**world(np.random.default_rng(i), accuracies_for(0.5, gap=0.2)))) for i in range(4)]
    planned = [Judged(str(i), Role.CONFIRMATORY, verdict) for i, verdict in enumerate(verdicts)]
    assert summarise(planned[:3]).pooled is None
    found = summarise(planned).pooled
    assert found.cells == 4
    assert found.low < 0.5 < found.high
    blind = [*planned[:3], Judged("blind", Role.CONFIRMATORY, replace(verdicts[3], outcome=Outcome.NOT_MEASURABLE))]
    assert summarise(blind).pooled is None


def test_names_are_told_apart(base: Verdict) -> None:
    with pytest.raises(ValueError, match="one name"):
        summarise(cells(base, [0.1]) * 2)
