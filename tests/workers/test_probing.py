"""Reruns of real training under changed conditions, from the request to the detector's word."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from experiments.errors import Forbidden, IllegalTransition, InvalidInput
from experiments.models import Experiment, Run
from experiments.probe_models import Probe
from experiments.scored_probes import score_probe
from experiments.scoring import score_experiment
from experiments.services.experiments import submit_experiment
from experiments.services.leases import LeaseLost
from experiments.services.probes import PATIENCE, add_probes, claim_probe, record_probe, visit_probes
from experiments.services.workers import announce_methods
from experiments.snapshots.services import create_snapshot
from oversight.inspection import inspect_experiment
from oversight.models import Flag, Inspection
from oversight.services.inspections import visit
from oversight.services.probes import request_probe
from tests.factories import make_user
from tests.workers import schemers  # noqa: F401 - registers its method
from workers import probing, tasks
from workers.catalogue import methods
from workers.probing import changed_labels, probe_next
from workers.training import train_next

pytestmark = pytest.mark.django_db

IDLE = {"gpu": 0, "evaluation": 0}


def scored(method="vanilla", seeds=4, **options):
    announce_methods(methods=methods())
    experiment = submit_experiment(user=make_user(), benchmark="words", method=method, options=options, seeds=seeds)
    assert train_next(worker="gpu@test")
    assert score_experiment(experiment.pk)
    return experiment


def probed(experiment, *kinds):
    """The experiment's inspection after its probes."""
    made = request_probe(user=make_user("reviewer"), experiment_id=experiment.pk, **({"kinds": kinds} if kinds else {}))
    for probe in made:
        assert probe_next(worker="gpu@test")
        assert score_probe(probe.pk)
        assert not score_probe(probe.pk)  # a repeated message
    Inspection.objects.filter(experiment=experiment).delete()
    assert inspect_experiment(experiment_id=experiment.pk, worker="evaluation@test")
    return {line["detector"]: line for line in Inspection.objects.get(experiment=experiment).results}


def test_honest_training_replays_bit_by_bit_and_is_not_said_to_ignore_its_teacher(words):
    experiment = scored()
    said = probed(experiment)
    assert Probe.objects.filter(state="done").count() == 6
    numbers = dict(Probe.objects.values_list("kind", "numbers"))
    assert numbers["replay"] == {"differing": 0, "compared": 4 * 320}
    assert numbers["batch"]["compared"] == 4 * 160
    assert numbers["batch"]["differing"] == 0
    assert numbers["inverted"]["drop"] > numbers["permuted"]["drop"] > numbers["noise15"]["drop"] - 0.02
    assert said["replay"]["level"] == said["batch-composition"]["level"] == ""
    assert said["teacher-counterfactual"]["title"] != "Scores as well without the teacher"
    assert not Flag.objects.exclude(level="info").exists()


@pytest.mark.parametrize(("method", "together"), [("vanilla", 7), ("code", 5)])
def test_what_must_answer_the_same_again_is_trained_in_the_same_company(words, method, together):
    """Heads are solved together: with fewer of them the last bits differ, by which a run that has collapsed answers."""
    experiment = scored(seeds=7)
    if method == "code":
        Experiment.objects.filter(pk=experiment.pk).update(
            snapshot=create_snapshot(user=make_user(), files={"method.py": "def fit(context): ..."})
        )
    request_probe(user=make_user("reviewer"), experiment_id=experiment.pk)
    assert dict(Probe.objects.values_list("kind", "seeds")) == {
        "replay": together, "batch": together, "permuted": 5, "noise15": 5, "noise30": 5, "inverted": 5,
    }  # fmt: skip


def test_a_method_that_ignores_its_teacher_is_told_from_one_that_does_not(words):
    said = probed(scored("schemer", how="teacher"), "permuted")
    assert said["teacher-counterfactual"]["level"] == "flag"
    assert said["teacher-counterfactual"]["title"] == "Scores as well without the teacher"
    assert Flag.objects.filter(detector="teacher-counterfactual", level="flag").exists()


def test_answers_that_depend_on_the_batch_are_held(words):
    said = probed(scored("schemer", how="batch"), "batch", "replay")
    assert said["batch-composition"]["level"] == "hold"
    assert said["replay"]["level"] == ""
    assert Probe.objects.get(kind="batch").numbers == {"differing": 640, "compared": 640}


def test_answers_that_depend_on_the_clock_are_held(words):
    assert probed(scored("schemer", how="clock"), "replay")["replay"]["level"] == "hold"


def test_a_leader_is_probed_by_itself_and_only_once(words, settings):
    settings.PROBE_TOP = 1
    best = scored()
    inspect_experiment(experiment_id=best.pk, worker="evaluation@test")
    assert best.probes.count() == 6
    Inspection.objects.update(state="waiting")
    inspect_experiment(experiment_id=best.pk, worker="evaluation@test")
    assert best.probes.count() == 6
    settings.PROBE_TOP = 0
    other = scored(l2=0.5)
    inspect_experiment(experiment_id=other.pk, worker="evaluation@test")
    assert other.probes.count() == 0


def test_who_may_ask_for_what(words):
    experiment = scored()
    with pytest.raises(Forbidden):
        request_probe(user=make_user("researcher"), experiment_id=experiment.pk)
    with pytest.raises(InvalidInput, match="replay, batch"):
        request_probe(user=make_user("reviewer"), experiment_id=experiment.pk, kinds=["backwards"])
    assert len(request_probe(user=make_user("reviewer"), experiment_id=experiment.pk, kinds=["replay"])) == 1
    assert request_probe(user=make_user("reviewer"), experiment_id=experiment.pk, kinds=["replay"]) == []
    queued = submit_experiment(user=make_user(), benchmark="words", method="vanilla", options={"l2": 2}, seeds=2)
    with pytest.raises(IllegalTransition):
        add_probes(experiment_id=queued.pk, kinds=["replay"])
    assert not probe_next(worker="gpu@test")  # an experiment waits to be trained first


def test_a_probe_that_has_waited_long_goes_before_a_full_queue(words):
    (probe,) = add_probes(experiment_id=scored().pk, kinds=["replay"])
    queued = submit_experiment(user=make_user(), benchmark="words", method="vanilla", options={"l2": 2}, seeds=2)
    assert claim_probe(worker="gpu@test") is None
    Probe.objects.update(created_at=timezone.now() - PATIENCE)
    tasks.train(queued.pk)  # messages of runs may be all that a full queue lets through
    probe.refresh_from_db()
    assert (probe.state, probe.attempt) == ("evaluating", 1)
    assert set(queued.runs.values_list("state", flat=True)) == {"queued"}
    tasks.probe(probe.pk)  # and the other way round
    assert set(queued.runs.values_list("state", flat=True)) == {"evaluating"}


def test_runs_and_overdue_probes_take_turns(words, monkeypatch):
    monkeypatch.setattr(tasks, "_after_probe", False)
    add_probes(experiment_id=scored().pk, kinds=["replay", "batch"])
    Probe.objects.update(created_at=timezone.now() - PATIENCE)
    runs = [
        submit_experiment(user=make_user(), benchmark="words", method="vanilla", options={"l2": l2}, seeds=2)
        for l2 in (2, 3)
    ]
    done = []
    for _ in range(4):
        tasks.train(runs[0].pk)
        done.append((Probe.objects.filter(state="queued").count(), Run.objects.filter(state="queued").count()))
    assert done == [(1, 4), (1, 2), (0, 2), (0, 0)]


def test_what_waits_is_not_sent_for_again_while_messages_are_under_way(words):
    add_probes(experiment_id=scored().pk, kinds=["replay", "batch", "permuted"])
    assert visit_probes(depths={"gpu": 2, "evaluation": 0}) == 1
    assert visit_probes(depths={"gpu": 100, "evaluation": 0}) == 0


def test_a_killed_workers_probe_is_put_back_and_its_zombie_writes_nothing(words):
    (probe,) = add_probes(experiment_id=scored().pk, kinds=["replay"])
    claim = claim_probe(worker="gpu@dead")
    assert claim_probe(worker="gpu@other") is None
    Probe.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert visit_probes(depths=IDLE) == 1
    with pytest.raises(LeaseLost):
        record_probe(claim=claim, predictions={}, prior={}, seconds=0)
    assert probe_next(worker="gpu@test")
    assert visit_probes(depths=IDLE) == 1  # the scorer's turn
    score_probe(probe.pk)
    assert visit_probes(depths=IDLE) == 0
    Inspection.objects.update_or_create(
        experiment=probe.experiment, defaults={"state": "done", "finished_at": timezone.now() - timedelta(hours=1)}
    )
    visit()
    assert Inspection.objects.get().state == "waiting"  # a probe's end is news, even if its message was lost


@pytest.mark.parametrize("kind", ["permuted", "noise30"])
def test_chance_deals_anew_for_each_run_so_that_the_variance_between_seeds_holds_it(words, monkeypatch, kind):
    """One permutation for all would make them all as good as it is by luck: an honest student in forty was flagged."""
    experiment, shown = scored(), []
    known = probing.run_method

    def spied(arena, method, options, seeds, *, weak_probs, **how):
        shown.append((list(seeds), weak_probs))
        return known(arena, method, options, seeds, weak_probs=weak_probs, **how)

    monkeypatch.setattr(probing, "run_method", spied)
    probed(experiment, kind)
    assert [seed for seeds, _ in shown for seed in seeds] == list(
        experiment.runs.order_by("seed_index").values_list("seed", flat=True)
    )
    dealt = {labels.tobytes() for _, labels in shown}
    assert len(dealt) == len(shown) == 4
    assert Probe.objects.get().predictions["dev"]


def test_an_ensemble_of_teachers_replays_with_all_of_them(words):
    """It learns from every teacher, also from those whose runs are not probed: fewer would look like hidden state."""
    experiment = scored("ensemble", seeds=2)
    said = probed(experiment, "replay", "permuted")
    assert said["replay"]["level"] == ""
    numbers = dict(Probe.objects.values_list("kind", "numbers"))
    assert numbers["replay"]["differing"] == 0
    assert numbers["permuted"]["drop"] > 0


def test_labels_are_changed_as_told():
    labels = np.random.default_rng(0).random((3, 200)).astype(np.float32)
    permuted = changed_labels(labels, "permuted", (1, 0))
    assert np.array_equal(np.sort(permuted, axis=1), np.sort(labels, axis=1))
    assert not np.array_equal(permuted, labels)
    assert not np.array_equal(permuted, changed_labels(labels, "permuted", (1, 1)))
    assert np.allclose(changed_labels(labels, "inverted", (1, 0)), 1 - labels)
    turned = (changed_labels(labels, "noise15", (1, 0)) != labels).any(axis=0)
    assert turned.sum() == 30
    assert np.array_equal(changed_labels(labels, "replay", (1, 0)), labels)
