"""What uploads are compared with: runs of recipes, never of code."""

import numpy as np
import pytest

from experiments.models import Experiment
from experiments.services.experiments import submit_experiment
from experiments.snapshots.services import create_snapshot
from oversight import inspection
from oversight.models import Flag
from oversight.selectors import references
from oversight.selectors.references import References
from tests.factories import make_method, make_user
from tests.labelled import ITEMS, answers_of, labels_of, make_labelled_benchmark, train_by_hand
from tests.oversight.test_inspection import upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def benchmark():
    make_method("vanilla")
    return make_labelled_benchmark()


def collapsed(benchmark, **options) -> Experiment:
    """An honest recipe that went wrong: at chance."""
    made = submit_experiment(user=make_user(), benchmark=benchmark.slug, method="vanilla", options=options, seeds=2)
    return train_by_hand(made, accuracy=0.5)


def near(accuracy: float = 0.5, changed: float = 0.05) -> list[np.ndarray]:
    """Two uploads much like the first run of what was trained by hand with that accuracy."""
    (first,) = answers_of(labels_of("geography", "dev"), accuracy, 1, 400) >= 0.5
    draw = np.random.default_rng(0)
    return [first ^ (draw.random(ITEMS) < changed) for _ in range(2)]


def levels(benchmark, uploads) -> list[str]:
    user = make_user("agent")
    for bits in uploads:
        upload(user, benchmark, bits)
    assert inspection.inspect_uploads(benchmark_id=benchmark.pk, worker="evaluation@test")
    return list(Flag.objects.filter(detector="random-vectors").values_list("level", flat=True))


def test_what_resembles_a_recipe_that_went_wrong_is_no_noise(benchmark):
    collapsed(benchmark)
    assert levels(benchmark, near()) == []


def test_without_such_a_run_the_same_uploads_are(benchmark):
    assert levels(benchmark, near()) == ["hold"]


def test_code_is_no_reference_because_its_author_chooses_what_it_answers(benchmark):
    made = collapsed(benchmark)
    snapshot = create_snapshot(user=make_user(), files={"method.py": "def fit(context): ..."})
    Experiment.objects.filter(pk=made.pk).update(snapshot=snapshot)
    assert levels(benchmark, near()) == ["hold"]


def test_references_are_bounded_and_of_many_methods(benchmark, monkeypatch):
    make_method("soft-labels")
    other = submit_experiment(user=make_user(), benchmark="geography", method="soft-labels", options={}, seeds=2)
    train_by_hand(other)
    made = [collapsed(benchmark, l2=float(l2)) for l2 in range(1, 9)]
    found = References(benchmark)
    assert found.experiments.tolist() == [other.pk, *[each.pk for each in made[2:]]]
    assert found.agreements(np.stack(near(changed=0)))[0].tolist()[1:] == [1.0] * references.MOST_OF_A_METHOD
    monkeypatch.setattr(references, "MOST_REFERENCES", 3)
    assert References(benchmark).experiments.tolist() == [each.pk for each in made[5:]]
