"""tests experiments/scoring.py and ground_truth.py: from predictions to evaluations, and what is refused."""

import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings as django_settings
from django.db.utils import DatabaseError

from experiments import ground_truth, scoring
from experiments.errors import IllegalTransition
from experiments.lifecycle import BenchmarkState, ExperimentState, RunState
from experiments.models import Baseline, Benchmark, Evaluation, Event, Prediction, Run
from experiments.services.benchmarks import request_preparation
from experiments.services.experiments import cancel_experiment, submit_experiment
from experiments.services.runs import claim_runs, fail_runs, record_predictions
from metrics import Arms, paired_difference, pgr_interval
from tests.factories import make_method, make_user
from tests.labelled import ITEMS, answers_of, labels_of, make_labelled_benchmark, train_by_hand, trained

pytestmark = pytest.mark.django_db


@pytest.fixture
def experiment():
    """Submitted on a benchmark whose labels the test knows: weak .6, vanilla .7, ceiling .85."""
    make_labelled_benchmark()
    make_method()
    return submit_experiment(user=make_user(), benchmark="geography", method="vanilla", options={}, seeds=4)


def right(split: str, accuracy: float, seeds: int, start: int) -> np.ndarray:
    labels = labels_of("geography", split)
    return (answers_of(labels, accuracy, seeds, start) > 0.5) == (labels == 1)


def test_a_scored_experiment_holds_what_metrics_say(experiment):
    train_by_hand(experiment, 0.75)
    assert experiment.state == ExperimentState.SCORED
    groups = np.arange(ITEMS) // 2
    for split in ("dev", "holdout"):
        candidate, weak, ceiling = right(split, 0.75, 4, 400), right(split, 0.6, 4, 0), right(split, 0.85, 4, 100)
        expected = pgr_interval(candidate, weak, ceiling, groups)
        assert getattr(experiment, f"{split}_accuracy") == pytest.approx(0.75)
        assert getattr(experiment, f"{split}_pgr") == pytest.approx(0.6) == pytest.approx(expected.value)
        stored = getattr(experiment, f"{split}_score")
        assert (stored["low"], stored["high"], stored["se"]) == (expected.low, expected.high, expected.se)
        assert (stored["n_items"], stored["n_seeds"], stored["bounded"], stored["failed"]) == (ITEMS, 4, True, 0)
        gain = paired_difference(candidate, right(split, 0.7, 4, 200), weak, ceiling, groups)
        assert stored["vanilla"]["value"] == pytest.approx(0.2) == pytest.approx(gain.value)
        assert (stored["vanilla"]["low"], stored["vanilla"]["high"]) == (gain.low, gain.high)


def test_every_run_gets_one_verified_evaluation_per_split(experiment):
    train_by_hand(experiment, 0.75)
    runs = list(experiment.runs.all())
    assert {run.state for run in runs} == {RunState.SCORED}
    assert [run.dev_pgr for run in runs] == pytest.approx([0.6] * 4)
    evaluations = Evaluation.objects.filter(run__in=runs)
    assert evaluations.count() == 8
    assert set(evaluations.values_list("verified", "scorer_version", "n_items")) == {(True, "1", ITEMS)}
    assert {each.reported_pgr for each in evaluations.filter(split="holdout")} == {None}


def test_no_event_carries_a_holdout_score(experiment):
    train_by_hand(experiment)
    assert Event.objects.filter(kind="experiment.scored").get().payload["dev_pgr"] == pytest.approx(0.6)
    assert not [event for event in Event.objects.all() if "holdout" in str(event.payload)]


def test_a_second_message_finds_nothing_to_do(experiment):
    train_by_hand(experiment)
    before = experiment.dev_score, Evaluation.objects.count(), Event.objects.count()
    assert scoring.score_experiment(experiment.pk) is False
    experiment.refresh_from_db()
    assert (experiment.dev_score, Evaluation.objects.count(), Event.objects.count()) == before


def test_a_cancelled_experiment_is_not_scored(experiment):
    train_by_hand(experiment, score=False)
    cancel_experiment(user=experiment.submitter, experiment_id=experiment.pk)
    assert scoring.score_experiment(experiment.pk) is False
    assert not Evaluation.objects.exists()


def test_failed_seeds_are_shown_and_never_replaced(experiment):
    claim = claim_runs(worker="gpu@test")
    record_predictions(claim=claim, trained=trained(claim, 0.75))
    Run.objects.filter(experiment=experiment, seed_index=1).update(state=RunState.FAILED, error="diverged")
    scoring.score_experiment(experiment.pk)
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.SCORED
    stored = experiment.dev_score
    assert (stored["n_seeds"], stored["failed"]) == (3, 1)
    assert stored["sensitivity"] == pytest.approx(experiment.dev_pgr * 3 / 4)
    keep = [0, 2, 3]
    weak, ceiling = right("dev", 0.6, 4, 0), right("dev", 0.85, 4, 100)
    gain = paired_difference(
        right("dev", 0.75, 4, 400)[keep], right("dev", 0.7, 4, 200)[keep], weak, ceiling, np.arange(ITEMS) // 2
    )
    assert stored["vanilla"]["se"] == pytest.approx(gain.se)


def test_an_experiment_without_a_finished_seed_fails_with_the_first_reason(experiment):
    fail_runs(claim=claim_runs(worker="gpu@test"), reason="the loss became NaN")
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.FAILED
    assert experiment.error == "4 of 4 runs failed: the loss became NaN"


def test_damaged_predictions_fail_their_run_alone(experiment):
    claim = claim_runs(worker="gpu@test")
    handed = trained(claim)
    handed.predictions["dev"][2, 5] = np.nan
    record_predictions(claim=claim, trained=handed)
    scoring.score_experiment(experiment.pk)
    states = list(experiment.runs.values_list("state", flat=True))
    assert states == ["scored", "scored", "failed", "scored"]
    assert "do not fit" in experiment.runs.get(seed_index=2).error


def sealed_file(kind: str) -> Path:
    sealed = Benchmark.objects.get().provenance[kind]
    return Path(django_settings.STORAGES["ground_truth"]["OPTIONS"]["location"]) / sealed["path"]


@pytest.mark.parametrize("kind", ["labels", "baselines"])
def test_tampered_ground_truth_is_refused_with_a_reason(experiment, kind):
    path = sealed_file(kind)
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-30] + bytes(30))
        train_by_hand(experiment)
    finally:
        path.write_bytes(content)
    assert experiment.state == ExperimentState.FAILED
    assert "is not what was stored" in experiment.error
    assert kind in experiment.error
    assert not Evaluation.objects.exists()
    assert experiment.dev_pgr is None


def test_missing_ground_truth_is_refused_with_a_reason(experiment):
    path = sealed_file("labels")
    elsewhere = path.rename(path.with_suffix(".away"))
    try:
        train_by_hand(experiment)
    finally:
        elsewhere.rename(path)
    assert "GROUND_TRUTH_DIR" in experiment.error


def test_a_storage_that_is_away_is_waited_for(experiment, monkeypatch):
    train_by_hand(experiment, score=False)

    def away(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output"):
        patch.setattr(ground_truth, "_content", away)
        scoring.score_experiment(experiment.pk)
    assert set(experiment.runs.values_list("state", flat=True)) == {RunState.EVALUATING}
    assert scoring.score_experiment(experiment.pk)


def test_an_error_of_the_scorer_ends_the_experiment_and_is_raised(experiment, monkeypatch):
    train_by_hand(experiment, score=False)
    monkeypatch.setattr(scoring, "score_split", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scoring.score_experiment(experiment.pk)
    experiment.refresh_from_db()
    assert experiment.state == ExperimentState.FAILED
    assert "not scored: the scorer failed: ZeroDivisionError: division by zero" in experiment.error
    assert not Evaluation.objects.exists()


def test_ground_truth_is_for_its_owner_alone(experiment):
    path = sealed_file("labels")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


def test_a_process_that_does_not_score_cannot_open_ground_truth(experiment):
    sealed = Benchmark.objects.get().provenance["labels"]
    code = (
        "import django; django.setup()\n"
        "from experiments import ground_truth\n"
        f"ground_truth.read(ground_truth.Sealed({sealed['path']!r}, {sealed['digest']!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "ground truth is closed in this process" in done.stderr


def test_writing_the_same_labels_again_changes_nothing(experiment):
    labels = {"dev": labels_of("geography", "dev")}
    first = ground_truth.write("geography", "labels", labels)
    assert ground_truth.write("geography", "labels", labels) == first
    path = Path(django_settings.STORAGES["ground_truth"]["OPTIONS"]["location"]) / first.path
    path.write_bytes(b"half")  # a process was killed while it wrote
    assert ground_truth.write("geography", "labels", labels) == first
    assert (ground_truth.read(first)["dev"] == labels["dev"]).all()


def test_training_labels_hold_no_test_split(experiment):
    assert set(scoring.training_labels(Benchmark.objects.get())) == {"teacher_train", "student_train"}


def test_an_uploaded_vector_is_compared_with_dev_alone(experiment):
    labels = labels_of("geography", "dev")
    benchmark = Benchmark.objects.get()
    bits = labels.astype(bool)
    bits[:20] ^= True
    assert scoring.dev_labels_agreement(benchmark, bits) == (
        pytest.approx(1 - 20 / ITEMS),
        ITEMS,
        benchmark.provenance["labels"]["digest"],
    )
    both, _, _ = scoring.dev_labels_agreement(benchmark, np.stack([bits, ~bits]))
    assert both == pytest.approx([1 - 20 / ITEMS, 20 / ITEMS])
    with pytest.raises(ValueError, match="items"):
        scoring.dev_labels_agreement(benchmark, bits[:-1])


def test_frozen_arms_hold_accuracies_and_both_standard_errors(experiment):
    benchmark = Benchmark.objects.get()
    assert benchmark.state == BenchmarkState.READY
    assert benchmark.sizes == {"teacher_train": ITEMS, "student_train": ITEMS, "dev": ITEMS, "holdout": ITEMS}
    lines = {(line.arm, line.split): line for line in Baseline.objects.all()}
    assert len(lines) == 8
    weak = lines["weak", "dev"]
    arms = Arms({"weak": right("dev", 0.6, 4, 0)}, np.arange(ITEMS) // 2)
    assert weak.accuracies == pytest.approx([0.6] * 4)
    assert (weak.mean, weak.n_items) == (pytest.approx(0.6), ITEMS)
    assert weak.se == pytest.approx(arms.contrast({"weak": 1}).se)
    assert weak.se_seeds == pytest.approx(0)
    assert benchmark.weak_teachers.count() == 4
    with pytest.raises(IllegalTransition, match="never change"):
        request_preparation(user=make_user("admin"), slug="geography")


def test_predictions_and_evaluations_cannot_be_rewritten(experiment):
    train_by_hand(experiment)
    with pytest.raises(DatabaseError, match="Cannot update"):
        Prediction.objects.update(probs=b"")
