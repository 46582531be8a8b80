"""tests experiments/transfer/services.py and plans.py: what is refused, what is frozen, what is queued."""

import hashlib
import json

import pytest
from django.db import IntegrityError, transaction

from experiments.errors import Forbidden, IllegalTransition, InvalidInput, NotReady, Refused
from experiments.lifecycle import ExperimentState, StudyState, Verdict
from experiments.models import Baseline, Benchmark, Event, Experiment, Method, Run
from experiments.services.experiments import rerun_experiment, submit_experiment
from experiments.transfer.judging import judge_cell
from experiments.transfer.models import TransferCell, TransferStudy
from experiments.transfer.services import cancel_study, preview_study, start_study
from tests.factories import make_benchmark, make_user
from tests.labelled import train_by_hand

pytestmark = pytest.mark.django_db


def ask(person, source, **changes):
    return start_study(**{"user": person, "experiment": source.pk, "benchmarks": ["elements"], **changes})


def test_a_study_freezes_its_plan_and_queues_a_cell_each(person, source, study):
    assert study.state == StudyState.RUNNING
    assert study.confirmatory
    assert [cell.benchmark.slug for cell in study.cells.all()] == ["elements", "grammar"]
    assert hashlib.sha256(study.plan_text.encode()).hexdigest() == study.plan_hash
    assert study.plan["theta_min"] == 0.2
    assert study.plan["method_digest"] == source.method_digest
    for cell, planned in zip(study.cells.all(), study.plan["cells"], strict=True):
        made = cell.experiment
        assert (made.state, made.seeds, made.submitter) == (ExperimentState.QUEUED, 5, person)
        assert (made.method_digest, made.options) == (source.method_digest, source.options)
        assert planned["gap"] == pytest.approx(0.25)
        assert 0 < planned["mde"] < 2
        assert planned["measured"]
    told = Event.objects.get(kind="transfer.started")
    assert told.payload == {"study": study.pk, "experiment": source.pk, "state": "running"}


def test_what_a_plan_starts_from_is_measured_when_the_arms_are_frozen(source):
    frozen = Baseline.objects.filter(benchmark__slug="elements", split="holdout")
    planning = frozen.get(arm="vanilla").provenance["planning"]
    assert 0.1 <= planning["disagreement"] <= 0.7
    assert 1 <= planning["design_effect"] <= 2
    assert "planning" not in frozen.get(arm="weak").provenance


def test_a_benchmark_frozen_before_that_is_planned_with_bounds(person, source):
    make_benchmark("old")
    plan = preview_study(user=person, experiment=source.pk, benchmarks=["old", "elements"])
    old, new = plan["cells"]
    assert (old["disagreement"], old["measured"]) == (pytest.approx(2 - 0.6 - 0.68), False)
    assert new["measured"]


def test_a_preview_is_the_plan_and_writes_nothing(person, source):
    before = Experiment.objects.count()
    plan = preview_study(user=person, experiment=source.pk, benchmarks=["elements"])
    assert (TransferStudy.objects.count(), Experiment.objects.count()) == (0, before)
    assert ask(person, source).plan == json.loads(json.dumps(plan))


def test_cells_have_seeds_that_no_run_has_had(person, source, study):
    again = ask(person, source, benchmarks=["elements", "grammar"])
    assert [each["replicate"] for each in again.plan["cells"]] == [2, 2]
    seeds = list(Run.objects.values_list("seed", flat=True))
    assert len(seeds) == len(set(seeds)) == 4 + 4 * 5


def test_what_was_seen_there_before_is_written_down(person, source):
    seen = submit_experiment(user=person, benchmark="elements", method="vanilla", options={}, seeds=4)
    train_by_hand(seen)
    cell = ask(person, source).plan["cells"][0]
    assert (cell["seen_before"], cell["replicate"]) == (1, 1)


def test_the_selection_bias_of_the_source_is_frozen_too(person, source):
    alone = preview_study(user=person, experiment=source.pk, benchmarks=["elements"])["source"]
    assert (alone["chosen_of"], alone["selection_bias"]) == (1, 0.0)
    for weight in (0.1, 0.2, 0.3):
        options = {"weight": weight}
        rival = submit_experiment(user=person, benchmark="geography", method="vanilla", options=options, seeds=4)
        train_by_hand(rival, 0.7)
    best = preview_study(user=person, experiment=source.pk, benchmarks=["elements"])["source"]
    assert best["chosen_of"] == 4
    assert best["dev_pgr_less_bias"] == pytest.approx(source.dev_pgr - best["selection_bias"])
    assert best["selection_bias"] > 0
    worse = preview_study(user=person, experiment=rival.pk, benchmarks=["elements"])["source"]
    assert (worse["chosen_of"], worse["selection_bias"]) == (1, 0.0)


@pytest.mark.parametrize(
    ("changes", "error", "pointer", "says"),
    [
        ({"benchmarks": ["geography"]}, Refused, "#/cells/0/benchmark", "no evidence of transfer"),
        ({"benchmarks": ["elements", "nowhere"]}, InvalidInput, "#/cells/1/benchmark", "nowhere"),
        ({"benchmarks": ["elements", "elements"]}, InvalidInput, "#/cells/1/benchmark", "twice"),
        ({"benchmarks": []}, InvalidInput, "#/cells", "expected 1 to"),
        ({"seeds": 2}, InvalidInput, "#/seeds", "expected 3 to"),
        ({"seeds": 101}, InvalidInput, "#/seeds", "expected 3 to"),
        ({"theta_min": 1.0}, InvalidInput, "#/theta_min", "below 1"),
        ({"theta_min": -0.1}, InvalidInput, "#/theta_min", "from 0"),
        ({"theta_min": float("nan")}, InvalidInput, "#/theta_min", "expected a PGR"),
        ({"experiment": 10**6}, InvalidInput, "#/experiment", "no experiment"),
    ],
)
def test_bad_input_names_its_field_and_leaves_nothing(person, source, changes, error, pointer, says):
    before = Experiment.objects.count()
    with pytest.raises(error, match=says) as caught:
        ask(person, source, **changes)
    assert caught.value.pointer == pointer
    assert (TransferStudy.objects.count(), Experiment.objects.count()) == (0, before)


def test_a_benchmark_that_is_not_ready_is_refused_with_its_place(person, source):
    make_benchmark("latitude", state="preparing", stage="features")
    with pytest.raises(NotReady, match="being prepared") as caught:
        ask(person, source, benchmarks=["elements", "latitude"])
    assert caught.value.pointer == "#/cells/1/benchmark"


def test_the_same_items_and_models_under_another_name_are_the_same_cell(person, source):
    twin = make_benchmark("twin")
    Benchmark.objects.filter(pk=twin.pk).update(provenance=source.benchmark.provenance)
    with pytest.raises(Refused, match="the same cell") as caught:
        ask(person, source, benchmarks=["twin"])
    assert caught.value.pointer == "#/cells/0/benchmark"
    Benchmark.objects.filter(pk=twin.pk).update(weak_model="another")
    assert ask(person, source, benchmarks=["twin"]).state == StudyState.RUNNING


def test_only_what_is_scored_and_counts_is_studied(person, source):
    waiting = submit_experiment(user=person, benchmark="geography", method="vanilla", options={"weight": 0.1}, seeds=3)
    with pytest.raises(Refused, match="is queued"):
        ask(person, waiting)
    Experiment.objects.filter(pk=source.pk).update(standing="under_review")
    with pytest.raises(Refused, match="under review"):
        ask(person, source)


def test_a_method_whose_code_has_changed_is_not_the_one_that_won(person, source):
    Method.objects.update(code_digest="e" * 64)
    with pytest.raises(Refused, match="has changed since"):
        ask(person, source)
    rerun = train_by_hand(rerun_experiment(user=person, experiment_id=source.pk))
    assert ask(person, rerun).state == StudyState.RUNNING


@pytest.mark.parametrize("role", ["agent", "viewer", ""])
def test_only_people_who_run_campaigns_start_studies(role, source):
    with pytest.raises(Forbidden):
        ask(make_user(role), source)


def test_three_seeds_explore(person, source):
    study = ask(person, source, seeds=3)
    assert not study.confirmatory
    assert (study.plan["kind"], study.plan["correction"]) == ("exploratory", "benjamini-hochberg")


def test_cancelling_stops_what_has_not_ended_and_keeps_verdicts(person, study):
    first, second = study.cells.order_by("id")
    train_by_hand(first.experiment, 0.8)
    judge_cell(first.experiment_id)
    cancel_study(user=person, study_id=study.pk)
    second.experiment.refresh_from_db()
    assert second.experiment.state == ExperimentState.CANCELLED
    assert judge_cell(second.experiment_id)
    study.refresh_from_db()
    assert study.state == StudyState.CANCELLED
    assert study.finished_at
    verdicts = dict(study.cells.values_list("benchmark__slug", "verdict"))
    assert verdicts["elements"] != Verdict.NOT_RUN
    assert verdicts["grammar"] == Verdict.NOT_RUN
    with pytest.raises(IllegalTransition):
        cancel_study(user=person, study_id=study.pk)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE experiments_transferstudy SET theta_min = 0.01",
        "UPDATE experiments_transferstudy SET plan_text = '{}'",
        "UPDATE experiments_transferstudy SET seeds = 3",
        "DELETE FROM experiments_transfercell",
        "UPDATE experiments_transfercell SET benchmark_id = benchmark_id + 1",
        "DELETE FROM experiments_transferstudy",
        "SET session_replication_role = replica; UPDATE experiments_transferstudy SET plan_hash = 'x'",
    ],
)
def test_a_frozen_plan_stays_frozen(study, statement):
    from django.db import connection

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert TransferCell.objects.count() == 2
