"""A method that won on one benchmark whose labels are sealed, and two more on which it may be studied."""

import pytest

from experiments.services.experiments import submit_experiment
from experiments.transfer.judging import judge_cell
from experiments.transfer.services import start_study
from tests.factories import make_method, make_user
from tests.labelled import make_labelled_benchmark, train_by_hand
from tests.pages.conftest import _plain_static_files  # noqa: F401 - a fixture

CELLS = ("elements", "grammar")


@pytest.fixture
def person(roles):
    return make_user("researcher", name="ada")


@pytest.fixture
def source(person):
    """Scored on geography; elements and grammar are ready, with weak .6, vanilla .7 and ceiling .85 on 200 items."""
    for slug in ("geography", *CELLS):
        make_labelled_benchmark(slug)
    make_method()
    return train_by_hand(
        submit_experiment(user=person, benchmark="geography", method="vanilla", options={}, seeds=4), 0.8
    )


@pytest.fixture
def study(person, source):
    return start_study(user=person, experiment=source.pk, benchmarks=CELLS)


def run_cells(study, accuracies) -> None:
    """Train each cell by hand to this accuracy, and have it judged."""
    for cell, accuracy in zip(study.cells.order_by("id"), accuracies, strict=True):
        train_by_hand(cell.experiment, accuracy)
        assert judge_cell(cell.experiment_id)
    study.refresh_from_db()
