"""Labels that code learned from, as it told them: which are compared with the truth, and what comes of it."""

import numpy as np
import pytest

from experiments.inspecting import TrainedOn, numbers_of
from experiments.packed_labels import pack_labels, unpack_labels
from experiments.selectors.sealed import for_agents
from experiments.services.experiments import submit_experiment
from oversight.facts import ItemText
from oversight.inspection import inspect_experiment
from oversight.models import Flag
from oversight.selectors.trained_on import trained_on
from tests.factories import make_method, make_user
from tests.labelled import CEILING, ITEMS, WEAK, answers_of, labels_of, make_labelled_benchmark, train_by_hand
from workers.code_method.labels import told_labels

ITEMS_OF_TRAINING = tuple(ItemText("q", ("a", "b"), row // 2) for row in range(ITEMS))
MOST = np.arange(ITEMS) % 5 > 0  # the 80% that a run may learn from


def told(labels, learnt=MOST, items=ITEMS_OF_TRAINING):
    return trained_on({"trained_on": [[pack_labels(labels, learnt)]]}, items)


def test_packed_labels_come_back():
    rng = np.random.default_rng(0)
    for items in (1, 7, 8, 1580):
        labels, learnt = rng.random(items) < 0.5, rng.random(items) < 0.8
        again = unpack_labels(pack_labels(labels, learnt), items)
        assert np.array_equal(again[0], labels) and np.array_equal(again[1], learnt)


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b"{}", b'{"labels": 3}', b'{"labels": ["x!"]}', b'{"labels": ["0f0f"]}', b"[" * 99999],
)
def test_what_has_not_the_form_of_labels_is_none(payload):
    assert told_labels(payload, 200) == ()


def test_fits_that_leave_items_out_are_not_compared():
    """A filter keeps the items on which labels are good; that they are better there is honest."""
    labels = np.ones(ITEMS, dtype=bool)
    assert told(labels) is not None
    assert told(labels, MOST & (np.arange(ITEMS) < ITEMS // 2)) is None
    assert trained_on({}, ITEMS_OF_TRAINING) is None
    assert told(labels, items=tuple(ItemText("q", ("a", "b"), 0) for _ in range(ITEMS))) is None


@pytest.mark.django_db
@pytest.mark.parametrize(("accuracy", "level"), [(WEAK, None), (CEILING, None), (0.9, None), (1.0, "hold")])
def test_labels_better_than_labels_can_be_are_held(accuracy, level):
    make_method("vanilla")
    make_labelled_benchmark()
    made = submit_experiment(user=make_user(), benchmark="geography", method="vanilla", options={}, seeds=4)
    (labels,) = answers_of(labels_of("geography", "student_train"), accuracy, 1) >= 0.5
    train_by_hand(made)
    made.provenance = {**made.provenance, "trained_on": [[pack_labels(labels, MOST)]]}
    made.save(update_fields=["provenance"])
    assert inspect_experiment(experiment_id=made.pk, worker="evaluation@test")
    flags = Flag.objects.filter(detector="label-provenance")
    assert [each.level for each in flags] == ([level] if level else [])
    assert "trained_on" not in for_agents(made.provenance)


@pytest.mark.django_db
def test_the_best_labels_of_several_fits_count():
    benchmark = make_labelled_benchmark()
    truth = labels_of("geography", "student_train").astype(bool)
    fits = TrainedOn(np.stack([~truth, truth]), np.stack([MOST, MOST]), np.arange(ITEMS) // 2)
    dev = answers_of(labels_of("geography", "dev"), 0.7, 2)
    holdout = answers_of(labels_of("geography", "holdout"), 0.7, 2)
    found = numbers_of(benchmark, dev, holdout, {}, fits)
    assert found.pool_accuracy == 1.0
    assert found.pool_ceiling == pytest.approx(CEILING)
    assert 0 < found.pool_se < 0.1
