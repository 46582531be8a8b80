"""Inspections: flags come of what detectors say, nothing is lost when a worker dies, nothing is flagged twice."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone
from redis import RedisError

from agents.errors import Held
from agents.services import create_token
from experiments import dispatch
from experiments.lifecycle import Standing
from experiments.models import Experiment, Prediction
from experiments.services.experiments import submit_experiment
from experiments.services.leases import LeaseLost
from experiments.services.scored_uploads import score_upload
from experiments.services.uploads import submit_predictions
from forum.services.posting import post_finding
from oversight import inspection, refusals
from oversight.detectors import DETECTORS, ExperimentDetector, Rates, Suspicion
from oversight.models import DetectorSetting, Flag, Inspection, Refusal
from oversight.services import inspections
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_method, make_user
from tests.labelled import ITEMS, labels_of, make_labelled_benchmark, train_by_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch):
    """Task names and numbers that were sent."""
    messages = []
    monkeypatch.setattr(dispatch, "_send", lambda task, queue, *args: messages.append((task, *args)))
    return messages


@pytest.fixture
def benchmark(sent):
    make_method("vanilla")
    return make_labelled_benchmark()


def scored(benchmark, user=None, accuracy=0.75, **fields) -> Experiment:
    fields = {"options": {}, "seeds": 4, **fields}
    user = user or make_user()
    return train_by_hand(submit_experiment(user=user, benchmark=benchmark.slug, method="vanilla", **fields), accuracy)


def upload(user, benchmark, bits):
    receipt = submit_predictions(user=user, benchmark=benchmark.slug, predictions=np.asarray(bits).astype(int).tolist())
    score_upload(receipt.upload)
    return receipt.upload


def inspect(experiment) -> Inspection:
    assert inspection.inspect_experiment(experiment_id=experiment.pk, worker="evaluation@test")
    return Inspection.objects.get(experiment=experiment)


def a_student(seed=5, accuracy=0.75):
    labels = labels_of("geography", "dev")
    return np.where(np.random.default_rng(seed).random(ITEMS) < accuracy, labels, 1 - labels).astype(bool)


def test_a_score_asks_for_an_inspection_and_an_honest_experiment_passes_every_detector(benchmark, sent):
    experiment = scored(benchmark)
    assert ("oversight.inspect", experiment.pk) in sent
    row = inspect(experiment)
    assert row.state == "done"
    looked = {line["detector"] for line in row.results}
    assert looked == {name for name in DETECTORS.names() if issubclass(DETECTORS.get(name), ExperimentDetector)}
    assert [line for line in row.results if line["level"]] == []
    assert Flag.objects.count() == 0


def test_flips_become_one_hold_that_is_not_raised_again_by_the_next_step(benchmark):
    agent = the_agent(make_campaign())
    answer = a_student()
    upload(agent.user, benchmark, answer)
    for place in range(8):
        flipped = answer.copy()
        flipped[place] ^= True
        upload(agent.user, benchmark, flipped)
    assert inspection.inspect_uploads(benchmark_id=benchmark.pk, worker="evaluation@test")
    (flag,) = Flag.objects.all()
    assert (flag.detector, flag.level, flag.statistic) == ("near-duplicates", "hold", 8)
    assert flag.upload.submitter == agent.user
    agent.refresh_from_db()
    assert agent.latches.filter(kind="flag", released_at=None).exists()
    flipped[20] ^= True
    with pytest.raises(Held):
        upload(agent.user, benchmark, flipped)
    agent.latches.update(released_at=timezone.now())  # a person lets it go on while the flag is open
    upload(agent.user, benchmark, flipped)
    assert inspection.inspect_uploads(benchmark_id=benchmark.pk, worker="evaluation@test")
    assert Flag.objects.count() == 1
    assert not inspection.inspect_uploads(benchmark_id=benchmark.pk, worker="evaluation@test")  # no news


def test_two_random_vectors_are_held(benchmark):
    user = make_user("agent")
    rng = np.random.default_rng(0)
    for _ in range(2):
        upload(user, benchmark, rng.integers(0, 2, ITEMS))
    inspection.inspect_uploads(benchmark_id=benchmark.pk, worker="evaluation@test")
    assert [(flag.detector, flag.level) for flag in Flag.objects.all()] == [("random-vectors", "hold")]


def test_a_heuristic_twin_is_flagged_by_what_it_predicts(benchmark):
    """Its stored predictions say 1 for everything: always the first."""
    experiment = submit_experiment(user=make_user(), benchmark="geography", method="vanilla", options={}, seeds=2)
    from experiments import scoring
    from experiments.services import runs
    from tests.labelled import trained

    claim = runs.claim_runs(worker="gpu@test", experiment_id=experiment.pk)
    done = trained(claim)
    for probs in done.predictions.values():
        probs[:] = 0.9
    runs.record_predictions(claim=claim, trained=done)
    scoring.score_experiment(experiment.pk)
    inspect(experiment)
    flag = Flag.objects.get(detector="heuristic-twin")
    assert flag.title.startswith("Answers like a rule of thumb")  # "yes" is first and longer
    assert flag.experiment_id == experiment.pk


def test_the_seed_ledger_looks_again_when_a_finding_cites(benchmark, sent):
    user = make_user()
    first = scored(benchmark, user)
    from experiments.services.experiments import rerun_experiment

    second = train_by_hand(rerun_experiment(user=user, experiment_id=first.pk))
    inspect(first), inspect(second)
    assert Flag.objects.count() == 0
    post_finding(user=user, kind="result", title="It works", body="It does", experiments=[second.pk])
    inspections.visit()
    assert sent[-1][0] == "oversight.inspect" or ("oversight.inspect", second.pk) in sent
    inspect(second)
    flag = Flag.objects.get()
    assert (flag.detector, flag.level, flag.statistic) == ("seed-ledger", "flag", 4)
    assert any(piece.get("row") == first.pk for piece in flag.evidence)


def test_the_same_submission_again_hunts_no_seeds(benchmark, sent):
    user = make_user()
    first, again = scored(benchmark, user), scored(benchmark, user)
    assert [run.seed for run in first.runs.all()] == [run.seed for run in again.runs.all()]
    post_finding(user=user, kind="result", title="It works", body="It does", experiments=[again.pk])
    inspect(again)
    assert Flag.objects.count() == 0


def test_what_descends_from_a_held_experiment_is_tainted(benchmark):
    user, other = make_user(), make_user()
    guilty = scored(benchmark, user)
    from oversight.services.flags import raise_flag

    raise_flag(detector="canary", level="hold", subject=guilty, title="It executed", evidence=["It did."])
    citing = scored(benchmark, other, options={"l2": 0.3})
    post_finding(user=other, kind="result", title="Mine", body="text", experiments=[citing.pk, guilty.pk])
    inspect(citing)
    assert Flag.objects.get(experiment=citing).detector == "lineage"


def test_a_lost_message_is_made_up_for_by_the_clock(benchmark, sent):
    experiment = scored(benchmark)
    sent.clear()
    assert inspections.visit() == 1
    assert sent == [("oversight.inspect", experiment.pk)]
    inspect(experiment)
    assert inspections.visit() == 0


def test_a_killed_workers_inspection_is_put_back_and_its_zombie_writes_nothing(benchmark):
    experiment = scored(benchmark)
    claim = inspections.claim_inspection(worker="evaluation@dead", experiment_id=experiment.pk)
    assert inspections.claim_inspection(worker="evaluation@other", experiment_id=experiment.pk) is None
    Inspection.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    inspections.visit()
    inspect(experiment)
    with pytest.raises(LeaseLost):
        inspections.finish_inspection(claim=claim, results=[])


def test_a_request_that_comes_meanwhile_is_not_lost(benchmark):
    experiment = scored(benchmark)
    claim = inspections.claim_inspection(worker="evaluation@test", experiment_id=experiment.pk)
    inspections.request_inspection(experiment_id=experiment.pk)
    inspections.finish_inspection(claim=claim, results=[])
    assert Inspection.objects.get().state == "waiting"
    inspect(experiment)
    assert Inspection.objects.get().state == "done"


def test_a_detector_that_breaks_clears_nobody(benchmark, monkeypatch):
    class Broken(ExperimentDetector):
        name, title, summary, source = "broken", "Broken", "Breaks.", "tests"
        rates = Rates("", "", "")

        def look(self, facts):
            raise RecursionError("too deep")

    DETECTORS.names()
    monkeypatch.setitem(DETECTORS._items, "broken", Broken)
    experiment = scored(benchmark)
    row = inspect(experiment)
    assert row.state == "done"
    assert {"detector": "broken", "level": "error", "error": "RecursionError: too deep"} in row.results
    flag = Flag.objects.get()
    assert (flag.level, flag.title) == ("flag", "Could not be inspected")


def test_what_breaks_outside_of_detectors_is_tried_again_and_then_given_up(benchmark, settings):
    experiment = scored(benchmark)
    benchmark.provenance["labels"]["digest"] = "0" * 64
    benchmark.save(update_fields=["provenance"])
    for _ in range(settings.RUN_ATTEMPTS):
        with pytest.raises(Exception, match="SHA-256"):
            inspection.inspect_experiment(experiment_id=experiment.pk, worker="evaluation@test")
    row = Inspection.objects.get()
    assert row.state == "failed"
    assert "SHA-256" in row.error


def test_a_detector_that_is_off_does_not_look_and_overrides_count(benchmark):
    DetectorSetting.objects.create(name="random-vectors", enabled=False)
    DetectorSetting.objects.create(name="api-misuse", overrides={"repeats": 1})
    user = make_user("agent")
    vector = np.random.default_rng(0).integers(0, 2, ITEMS)
    for _ in range(3):
        upload(user, benchmark, vector)
    inspection.inspect_uploads(benchmark_id=benchmark.pk, worker="evaluation@test")
    assert [flag.detector for flag in Flag.objects.all()] == ["api-misuse"]


def test_a_hold_on_a_large_p_value_is_a_flag(benchmark, monkeypatch):
    class Eager(ExperimentDetector):
        name, title, summary, source = "eager", "Eager", "Holds.", "tests"
        rates = Rates("", "", "")

        def look(self, facts):
            return [
                Suspicion("hold", "Too eager", 2.5, 2.33, 0.006, ("So it is.",), (("experiment", facts.experiment),))
            ]

    DETECTORS.names()
    monkeypatch.setitem(DETECTORS._items, "eager", Eager)
    experiment = scored(benchmark)
    inspect(experiment)
    experiment.refresh_from_db()
    flag = Flag.objects.get()
    assert flag.level == "flag"
    assert experiment.standing == Standing.COUNTED
    assert any("q = " in piece["text"] for piece in flag.evidence)


def test_refused_calls_add_up(client, roles, benchmark):
    campaign = make_campaign()
    agent = the_agent(campaign)

    row, token = create_token(name="prober", role="agent", scopes=("read", "write"))
    for part in ("holdout", "labels", "holdout"):
        answer = client.get(f"/api/v1/benchmarks/geography/data/{part}/", HTTP_AUTHORIZATION=f"Bearer {token}")
        assert answer.status_code == 404
    assert list(Refusal.objects.values_list("what", "account")) == [("hidden_data", row.user_id)] * 3
    assert inspection.inspect_refusals() == 1
    Refusal.objects.update(account=agent.user)
    inspection.inspect_refusals()
    assert Flag.objects.get().agent == agent
    client.get("/api/v1/benchmarks/geography/data/dev/", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert Refusal.objects.count() == 3


@pytest.mark.parametrize(("broken", "kept"), [(ValueError("no such key"), 1), (RedisError("away"), 0)])
def test_a_refusal_stays_one_where_the_cache_cannot_count(client, roles, benchmark, monkeypatch, broken, kept):
    """The hour that is counted may end between two calls, and the cache may be away."""

    def incr(key):
        raise broken

    monkeypatch.setattr(refusals.cache, "incr", incr)
    _, token = create_token(name="prober", role="agent", scopes=("read", "write"))
    path = "/api/v1/benchmarks/geography/data/holdout/"
    assert client.get(path, HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 404
    assert Refusal.objects.count() == kept


def test_predictions_that_are_gone_end_the_inspection_without_a_word(benchmark):
    experiment = scored(benchmark)
    runs = list(experiment.runs.values_list("pk", flat=True))
    assert Prediction.objects.filter(run__in=runs).count() == 8
    Inspection.objects.all().delete()
    other = submit_experiment(user=make_user(), benchmark="geography", method="vanilla", options={"l2": 0.1}, seeds=2)
    assert not inspection.inspect_experiment(experiment_id=other.pk, worker="evaluation@test")
    assert not Inspection.objects.filter(experiment=other).exists()
