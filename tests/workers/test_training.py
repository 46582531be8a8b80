"""tests workers/training.py and warm.py: runs trained in one pass under a lease."""

import numpy as np
import pytest

from experiments.lifecycle import ExperimentState, RunState
from experiments.models import Experiment, Method, Prediction, Run, WorkerSeen
from experiments.scoring import score_experiment
from experiments.services.experiments import submit_experiment
from experiments.services.workers import announce
from tests.factories import make_user
from workers.training import train_next
from workers.w2s.arena import run_method
from workers.w2s.spec import Split
from workers.warm import opened

pytestmark = pytest.mark.django_db


def submit(method: str = "vanilla", **fields) -> Experiment:
    user = make_user()
    return submit_experiment(user=user, **{"benchmark": "words", "method": method, "options": {}, **fields})


def test_an_experiment_is_trained_and_scored(words):
    announce(name="gpu@test", queues=["gpu"], device="CPU", versions={})
    experiment = submit(seeds=5)
    assert train_next(worker="gpu@test")
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.RUNNING
    assert set(experiment.runs.values_list("state", flat=True)) == {RunState.EVALUATING}
    assert score_experiment(experiment.pk)
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.SCORED
    assert experiment.dev_score["n_seeds"] == 5
    assert experiment.worker_seconds > 0
    assert experiment.provenance["worker"] == "gpu@test"
    assert experiment.provenance["versions"]["torch"]
    assert experiment.provenance["digests"] == words.provenance["features"]
    assert WorkerSeen.objects.get().runs_done == 5
    assert not train_next(worker="gpu@test")


def test_predictions_are_those_of_the_science_on_the_servers_seeds(words):
    experiment = submit(seeds=4)
    train_next(worker="gpu@test")
    place = opened(words.pk)
    seeds = list(experiment.runs.order_by("seed_index").values_list("seed", flat=True))
    expected = run_method(
        place.arena, "vanilla", {"l2": "cv"}, seeds, weak_probs=place.weak_probs, teacher_of=[0, 1, 2, 0],
        cache_dir=place.arena.cache_dir,
    )  # fmt: skip
    for split in (Split.DEV, Split.HOLDOUT):
        stored = Prediction.objects.filter(run__experiment=experiment, split=split).order_by("run__seed_index")
        rows = np.stack([np.frombuffer(bytes(each.probs), "<f4") for each in stored])
        np.testing.assert_array_equal(rows, expected.predictions[split])


def test_the_same_submission_gives_the_same_score(words):
    scores = []
    for _ in range(2):
        experiment = submit(seeds=3)
        train_next(worker="gpu@test")
        score_experiment(experiment.pk)
        experiment.refresh_from_db()
        scores.append((experiment.dev_pgr, experiment.holdout_pgr, experiment.dev_score))
    assert scores[0] == scores[1]


def test_vanilla_on_the_baselines_own_terms_is_near_its_baseline(words):
    experiment = submit(seeds=20)
    train_next(worker="gpu@test")
    score_experiment(experiment.pk)
    experiment.refresh_from_db()
    vanilla = words.baselines.get(arm="vanilla", split="dev")
    assert experiment.dev_accuracy == pytest.approx(vanilla.mean, abs=4 * vanilla.se)


def test_the_most_urgent_goes_first_then_the_oldest(words):
    first, second, urgent = submit(title="a"), submit(title="b"), submit(title="c", priority=5)
    order = []
    for _ in range(3):
        train_next(worker="gpu@test")
        order.append(Run.objects.filter(state=RunState.EVALUATING).order_by("-started_at").first().experiment_id)
    assert order == [urgent.pk, first.pk, second.pk]


def test_a_method_that_breaks_is_recorded_and_raised(words):
    experiment = submit("patient", options={"error": "no memory for 12 GiB"}, seeds=2)
    with pytest.raises(MemoryError):
        train_next(worker="gpu@test")
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.FAILED
    assert experiment.error == "2 of 2 runs failed: MemoryError: no memory for 12 GiB"


def test_options_that_need_what_is_kept_back_fail_with_the_reason(words):
    gray = Method.objects.get(name="zero-shot")
    Method.objects.filter(pk=gray.pk).update(uses=[])  # as if the web could not tell
    experiment = submit("zero-shot", seeds=2)
    train_next(worker="gpu@test")
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.FAILED
    assert "needs likelihood" in experiment.error


def test_code_that_changed_after_the_seeds_were_drawn_is_not_run(words):
    experiment = submit(seeds=2)
    Experiment.objects.filter(pk=experiment.pk).update(provenance={"code_digest": "0" * 64})
    train_next(worker="gpu@test")
    experiment.refresh_from_db()
    assert "has changed since this experiment was submitted" in experiment.error


def test_curves_and_log_lines_reach_every_run(words):
    experiment = submit(seeds=3)
    train_next(worker="gpu@test")
    for row, run in enumerate(experiment.runs.order_by("seed_index")):
        assert run.curves, row
        for curve in run.curves:
            assert set(curve) == {"name", "x_label", "x", "y"}
            assert len(curve["x"]) == len(curve["y"]) > 0
