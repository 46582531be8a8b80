"""tests workers/preparation.py, extraction.py, steps.py: a benchmark's way to READY."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from experiments import scoring
from experiments.lifecycle import BenchmarkState
from experiments.models import Baseline, Benchmark, Event, Item
from experiments.seeds import baseline_seeds
from experiments.services.benchmarks import request_preparation
from experiments.services.leases import LeaseLost
from experiments.services.preparation import Step, claim_preparation, finish_features, step_of
from experiments.services.reaper import reap
from metrics import accuracy
from tests.factories import make_experiment, make_user
from tests.workers import world
from workers.extraction import extract_features
from workers.preparation import prepare_next
from workers.w2s.arena import train_arm, train_teachers
from workers.w2s.data import DataError
from workers.w2s.spec import Split
from workers.warm import open_arena

pytestmark = pytest.mark.django_db


def test_three_steps_make_a_benchmark_ready(words):
    assert words.state == BenchmarkState.READY
    assert words.sizes == {str(split): size for split, size in world.SIZES.items()}
    assert words.kind == "pair"
    assert set(words.provenance) >= {"dataset", "labels", "features", "baselines"}
    assert words.provenance["features"]["weights"] != words.provenance["dataset"]
    assert (words.lease_owner, words.lease_until, words.error) == ("", None, "")
    states = [event.payload["state"] for event in Event.objects.filter(kind="benchmark.state").order_by("number")]
    assert states == ["preparing", "ready"]


def test_items_are_the_dataset_in_its_order_and_hold_no_label(words):
    data = world.words()
    for split in Split:
        stored = list(Item.objects.filter(benchmark=words, split=split).order_by("position"))
        expected = [data.items[i] for i in data.indices(split)]
        assert [(item.question, tuple(item.responses)) for item in stored] == [
            (item.question, item.responses) for item in expected
        ]
    assert not {field.name for field in Item._meta.fields} & {"label", "truth", "answer"}


def test_baselines_are_what_the_science_gives_on_the_same_seeds(words):
    data = world.words()
    labels = {split: data.labels[data.indices(split)] for split in Split}
    arena = open_arena(words)
    teachers = train_teachers(arena, labels[Split.TEACHER_TRAIN], baseline_seeds("teacher", "words", 3))
    seeds = baseline_seeds("ceiling", "words", 4)
    ceiling = train_arm(arena, labels[Split.STUDENT_TRAIN], seeds, "ceiling")
    for split in (Split.DEV, Split.HOLDOUT):
        weak = Baseline.objects.get(benchmark=words, arm="weak", split=split)
        assert weak.accuracies == pytest.approx(list(accuracy(teachers.probs[split], labels[split])))
        top = Baseline.objects.get(benchmark=words, arm="ceiling", split=split)
        assert top.accuracies == pytest.approx(list(accuracy(ceiling[split], labels[split])))
    stored = [np.frombuffer(bytes(each.probs), "<f4") for each in words.weak_teachers.order_by("index")]
    np.testing.assert_array_equal(np.stack(stored), teachers.probs[Split.STUDENT_TRAIN])
    assert [each.digest for each in words.weak_teachers.order_by("index")] == list(teachers.digests)


def test_each_step_waits_for_the_one_before(registered):
    assert not prepare_next(worker="evaluation@test", slug="words")  # nobody asked for it
    request_preparation(user=make_user("admin"), slug="words")
    assert not extract_features(worker="gpu@test", slug="words")
    assert prepare_next(worker="evaluation@test", slug="words")
    assert not prepare_next(worker="evaluation@test", slug="words")
    registered.refresh_from_db()
    assert step_of(registered) == Step.FEATURES


def test_a_step_is_done_by_one_worker_at_a_time(registered):
    request_preparation(user=make_user("admin"), slug="words")
    first = claim_preparation(worker="one", slug="words", steps=list(Step))
    assert first.step == Step.ITEMS
    assert claim_preparation(worker="two", slug="words", steps=list(Step)) is None


def test_a_worker_that_falls_silent_loses_the_step_and_writes_nothing(registered):
    request_preparation(user=make_user("admin"), slug="words")
    claim = claim_preparation(worker="one", slug="words", steps=list(Step))
    Benchmark.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert reap().preparations == 1
    with pytest.raises(LeaseLost):
        finish_features(claim=claim, provenance={"weights": "x"})
    assert prepare_next(worker="two", slug="words")
    registered.refresh_from_db()
    assert "features" not in registered.provenance


def test_after_all_attempts_the_preparation_fails_with_its_step(registered, settings):
    settings.RUN_ATTEMPTS = 2
    request_preparation(user=make_user("admin"), slug="words")
    for _ in range(2):
        assert claim_preparation(worker="one", slug="words", steps=list(Step))
        Benchmark.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        reap()
    registered.refresh_from_db()
    assert registered.state == BenchmarkState.FAILED
    assert registered.error.startswith("items: the worker stopped renewing its lease 2 times (last: one)")
    request_preparation(user=make_user("admin"), slug="words")  # and again, from the beginning
    registered.refresh_from_db()
    assert (registered.state, registered.attempt, registered.error) == (BenchmarkState.PREPARING, 0, "")


def test_a_model_that_is_not_there_fails_the_preparation_with_a_sentence(registered, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    Benchmark.objects.update(strong_model="hf:tiny/absent")
    request_preparation(user=make_user("admin"), slug="words")
    prepare_next(worker="evaluation@test", slug="words")
    with pytest.raises(LookupError):
        extract_features(worker="gpu@test", slug="words")
    registered.refresh_from_db()
    assert registered.state == BenchmarkState.FAILED
    assert "features: CheckpointMissing: hf:tiny/absent is neither on this machine" in registered.error


def test_data_that_changed_since_its_import_is_refused(registered):
    Benchmark.objects.update(state=BenchmarkState.PREPARING, provenance={"dataset": "0" * 64})
    with pytest.raises(DataError, match="has changed since it was imported"):
        prepare_next(worker="evaluation@test", slug="words")
    registered.refresh_from_db()
    assert registered.state == BenchmarkState.FAILED


def test_extraction_lets_a_waiting_experiment_go_first(registered, words, settings, tmp_path):
    settings.FEATURE_CACHE_DIR = tmp_path  # nothing is extracted here yet
    world.save_model(tmp_path)
    ready = words
    other = Benchmark.objects.create(
        slug="other", title="Other", dataset="words", weak_model=ready.weak_model, strong_model=ready.strong_model,
        teachers=3, default_seeds=4,
    )  # fmt: skip
    request_preparation(user=make_user("admin"), slug="other")
    assert prepare_next(worker="evaluation@test", slug="other")
    waiting = make_experiment(benchmark=ready)
    assert not extract_features(worker="gpu@test", slug="other")
    other.refresh_from_db()
    assert (other.state, other.attempt, other.lease_owner) == (BenchmarkState.PREPARING, 0, "")
    type(waiting).objects.filter(pk=waiting.pk).update(state="cancelled")
    assert extract_features(worker="gpu@test", slug="other")


def test_training_labels_reach_only_who_scores(words):
    labels = scoring.training_labels(words)
    data = world.words()
    np.testing.assert_array_equal(labels["student_train"], data.labels[data.indices(Split.STUDENT_TRAIN)])
