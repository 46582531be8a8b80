"""Experiments with code of their own; experiments/services/code.py."""

import pytest
from django.utils import timezone

from experiments.errors import InvalidInput, Refused
from experiments.lifecycle import ExperimentState
from experiments.models import Experiment, WorkerSeen
from experiments.services.code import seed_digest
from experiments.services.experiments import rerun_experiment, submit_experiment
from experiments.services.runs import claim_runs
from experiments.snapshots.services import create_snapshot
from tests.factories import make_benchmark, make_method, make_user

pytestmark = pytest.mark.django_db

NO_OPTIONS = {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.fixture
def user():
    return make_user("researcher")


@pytest.fixture
def code():
    make_benchmark()
    return make_method("code", options_schema=NO_OPTIONS)


def snapshot(user, text="def fit(context): ...\n"):
    return create_snapshot(user=user, files={"method.py": text})


def submit(user, **fields):
    return submit_experiment(user=user, **{"benchmark": "geography", "options": {}, **fields})


def seeds_of(experiment):
    return list(experiment.runs.order_by("seed_index").values_list("seed", flat=True))


def test_an_experiment_carries_its_code_to_the_worker(user, code):
    tree = snapshot(user)
    experiment = submit(user, snapshot=tree.pk, seeds=3)
    assert (experiment.method, experiment.snapshot) == (code, tree)
    assert experiment.title == f"Snapshot {tree.pk} on Geography"
    drawn_from = seed_digest(code, tree, {})
    assert experiment.provenance == {
        "code_digest": code.code_digest, "snapshot": tree.digest, "seed_digest": drawn_from,
    }  # fmt: skip
    claim = claim_runs(worker="gpu@test")
    assert (claim.method, claim.snapshot_id, len(claim.seeds)) == ("code", tree.pk, 3)


def test_seeds_derive_from_the_codes_content_and_nothing_of_ours(user, code):
    first = submit(user, snapshot=snapshot(user).pk, seeds=3)
    code.code_digest = "e" * 64
    code.save()
    again = submit(make_user("agent"), snapshot=snapshot(user).pk, seeds=3)
    other = submit(user, snapshot=snapshot(user, "def fit(context): 1\n").pk, seeds=3)
    assert seeds_of(again) == seeds_of(first)
    assert not set(seeds_of(other)) & set(seeds_of(first))


def test_a_rerun_is_of_the_same_code_with_fresh_seeds(user, code):
    first = submit(user, snapshot=snapshot(user).pk, seeds=2)
    Experiment.objects.filter(pk=first.pk).update(state=ExperimentState.FAILED)
    again = rerun_experiment(user=user, experiment_id=first.pk)
    assert (again.snapshot_id, again.method_digest, again.replicate) == (first.snapshot_id, first.method_digest, 1)
    assert not set(seeds_of(again)) & set(seeds_of(first))


@pytest.mark.parametrize("fields", [{}, {"method": "code"}, {"method": "vanilla", "snapshot": 1}])
def test_either_a_recipe_or_a_snapshot_is_named(user, code, fields):
    make_method("vanilla")
    with pytest.raises(InvalidInput, match="not both"):
        submit(user, **fields)


def test_options_and_absent_snapshots_are_named(user, code):
    with pytest.raises(InvalidInput, match="no snapshot 999"):
        submit(user, snapshot=999)
    with pytest.raises(InvalidInput, match="no option 'l2'"):
        submit(user, snapshot=snapshot(user).pk, options={"l2": 1})


def test_a_benchmark_that_fine_tunes_takes_no_code(user, code):
    make_benchmark("geography-lora", student="lora")
    with pytest.raises(Refused, match="fine-tunes"):
        submit(user, benchmark="geography-lora", snapshot=snapshot(user).pk)


def test_without_a_sandbox_code_is_refused_with_the_workers_reason(user):
    make_benchmark()
    tree = snapshot(user)
    with pytest.raises(Refused, match="no worker that can build a sandbox"):
        submit(user, snapshot=tree.pk)
    now = timezone.now()
    versions = {"python": "3.11", "sandbox": "there is no bubblewrap"}
    WorkerSeen.objects.create(name="gpu@a", queues=["gpu"], versions=versions, started_at=now, seen_at=now)
    with pytest.raises(Refused, match="there is no bubblewrap"):
        submit(user, snapshot=tree.pk)
    make_method("vanilla")
    assert submit(user, method="vanilla").pk


def test_code_that_is_switched_off_is_refused(user, code):
    code.enabled = False
    code.save()
    with pytest.raises(Refused, match="switched off"):
        submit(user, snapshot=snapshot(user).pk)
