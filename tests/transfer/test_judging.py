"""tests experiments/transfer/judging.py and summary.py: from a cell's predictions to verdict and headline."""

import pytest
from django.db import IntegrityError, connection, transaction

from experiments import dispatch
from experiments.lifecycle import ExperimentState, StudyState, Verdict
from experiments.models import Benchmark, Event, Experiment
from experiments.services.experiments import cancel_experiment, submit_experiment
from experiments.services.reaper import reap
from experiments.transfer.judging import judge_cell
from experiments.transfer.models import TransferCell
from experiments.transfer.selectors import notes_on, study_facts, study_of, transfer_map
from experiments.transfer.services import start_study
from metrics import pgr_interval
from tests.factories import make_user
from tests.labelled import answers_of, labels_of, make_labelled_benchmark, train_by_hand
from tests.transfer.conftest import run_cells

pytestmark = pytest.mark.django_db


def facts_of(study):
    (facts,) = study_facts([study_of(study.author, study.pk)])
    return facts


def test_a_cell_that_recovers_the_gap_transfers_and_one_that_recovers_nothing_does_not(study):
    run_cells(study, (0.85, 0.5))
    first, second = facts_of(study).cells
    assert (first.verdict, second.verdict) == (Verdict.TRANSFERS, Verdict.HARMS)
    assert first.numbers.pgr.value == pytest.approx(1.0)
    assert first.numbers.lower > 0.2
    assert second.numbers.upper < 0
    assert study.state == StudyState.DONE
    assert study.finished_at


def test_the_numbers_are_those_of_metrics_on_the_holdout(study):
    run_cells(study, (0.8, 0.8))
    cell = facts_of(study).cells[0]
    labels = labels_of("elements", "holdout")
    right = {
        name: (answers_of(labels, accuracy, seeds, start) > 0.5) == (labels == 1)
        for name, accuracy, seeds, start in (("weak", 0.6, 4, 0), ("ceiling", 0.85, 4, 100), ("ours", 0.8, 5, 400))
    }
    groups = [index // 2 for index in range(len(labels))]
    expected = pgr_interval(right["ours"], right["weak"], right["ceiling"], groups)
    assert cell.numbers.pgr.value == pytest.approx(expected.value) == pytest.approx(0.8)
    assert (cell.numbers.pgr.low, cell.numbers.pgr.high) == pytest.approx((expected.low, expected.high))
    assert cell.numbers.over_vanilla.value == pytest.approx(0.4)
    assert cell.numbers.pgr.n_seeds == 5
    assert cell.numbers.failed == 0
    assert cell.numbers.sensitivity is None
    low, high = cell.numbers.bootstrap
    assert low < 0.8 < high


def test_the_headline_counts_cells_not_the_mean(person, source, study):
    run_cells(study, (0.85, 0.5))
    facts = facts_of(study)
    assert (facts.headline.at_least, facts.headline.cells) == (1, 2)
    assert "1 of 2" in facts.headline.says
    assert notes_on(person, [source.pk])[source.pk].says == facts.headline.says
    assert facts.pooled is None


def test_a_study_that_explores_claims_nothing(person, source):
    study = start_study(user=person, experiment=source.pk, benchmarks=["elements", "grammar"], seeds=3)
    run_cells(study, (0.85, 0.5))
    facts = facts_of(study)
    assert (facts.headline.at_least, facts.headline.confirmed, facts.headline.p) == (1, False, None)
    assert facts.says == "Promising in 1 of 2 cells (q < 0.10): explored, not confirmed"
    assert notes_on(person, [source.pk])[source.pk].short == "1 of 2 promising"


def test_four_cells_are_pooled(person, source):
    slugs = ["elements", "grammar", "tides", "moon"]
    for slug in slugs[2:]:
        make_labelled_benchmark(slug)
    study = start_study(user=person, experiment=source.pk, benchmarks=slugs)
    run_cells(study, (0.85, 0.8, 0.75, 0.5))
    facts = facts_of(study)
    assert facts.headline.at_least == 3
    assert facts.pooled.cells == 4
    assert facts.pooled.low < facts.pooled.mean < facts.pooled.high
    assert facts.pooled.new_low < facts.pooled.low
    assert facts.pooled.i2 > 0.5


def test_there_is_no_headline_before_every_cell_is_judged(study):
    first, _ = study.cells.order_by("id")
    train_by_hand(first.experiment, 0.85)
    judge_cell(first.experiment_id)
    facts = facts_of(study)
    assert facts.headline is None
    assert facts.says == "1 of 2 cells judged"
    assert [cell.p_adjusted for cell in facts.cells] == [None, None]
    assert study.state == StudyState.RUNNING


def test_judging_twice_changes_nothing(study):
    run_cells(study, (0.85, 0.5))
    before = list(TransferCell.objects.values("verdict", "numbers", "judged_at"))
    assert not judge_cell(study.cells.first().experiment_id)
    assert list(TransferCell.objects.values("verdict", "numbers", "judged_at")) == before
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE experiments_transfercell SET verdict = 'transfers'")


def test_an_experiment_that_has_not_ended_or_is_in_no_study_is_not_judged(source, study):
    assert not judge_cell(study.cells.first().experiment_id)
    assert not judge_cell(source.pk)


def test_a_cell_that_did_not_run_counts_against_transfer(person, study):
    first, second = study.cells.order_by("id")
    train_by_hand(first.experiment, 0.85)
    judge_cell(first.experiment_id)
    cancel_experiment(user=person, experiment_id=second.experiment_id)
    judge_cell(second.experiment_id)
    facts = facts_of(study)
    assert facts.cells[1].verdict == Verdict.NOT_RUN
    assert "cancelled" in facts.cells[1].cell.error
    assert (facts.headline.at_least, facts.headline.cells) == (1, 2)
    assert not facts.cells[1].counts or facts.cells[1].p_adjusted == 1


def test_failed_runs_are_not_replaced_and_the_sensitivity_counts_them_as_nothing(study):
    cell = study.cells.order_by("id").first()
    cell.experiment.runs.filter(seed_index__gte=3).update(state="failed", error="out of memory")
    train_by_hand(cell.experiment, 0.85)
    judge_cell(cell.experiment_id)
    numbers = facts_of(study).cells[0].numbers
    assert (numbers.failed, numbers.pgr.n_seeds) == (2, 3)
    assert numbers.sensitivity["pgr"] == pytest.approx(numbers.pgr.value * 3 / 5)
    assert numbers.sensitivity["verdict"] in Verdict.values


def test_one_run_is_too_few_for_a_verdict(study):
    cell = study.cells.order_by("id").first()
    cell.experiment.runs.filter(seed_index__gte=1).update(state="failed", error="out of memory")
    train_by_hand(cell.experiment, 0.85)
    judge_cell(cell.experiment_id)
    cell.refresh_from_db()
    assert cell.verdict == Verdict.NOT_RUN
    assert "two are needed for a verdict" in cell.error


def test_labels_that_were_tampered_with_give_no_verdict(study, settings):
    cell = study.cells.order_by("id").first()
    train_by_hand(cell.experiment, 0.85)

    benchmark = Benchmark.objects.get(slug="elements")
    sealed = {**benchmark.provenance, "labels": {**benchmark.provenance["labels"], "digest": "0" * 64}}
    Benchmark.objects.filter(pk=benchmark.pk).update(provenance=sealed)
    judge_cell(cell.experiment_id)
    cell.refresh_from_db()
    assert cell.verdict == Verdict.NOT_RUN
    assert "SHA-256 differs" in cell.error


def test_a_held_result_does_not_count(study):
    run_cells(study, (0.85, 0.85))
    assert facts_of(study).headline.at_least == 2
    Experiment.objects.filter(pk=study.cells.first().experiment_id).update(standing="under_review")
    facts = facts_of(study)
    assert [cell.counts for cell in facts.cells] == [False, True]
    assert facts.headline.at_least == 1
    assert [each.slug for each in transfer_map(study.author).benchmarks] == ["grammar"]


def test_the_map_has_the_latest_verdict_of_each_cell(person, source, study):
    run_cells(study, (0.85, 0.5))
    again = start_study(user=person, experiment=source.pk, benchmarks=["elements"])
    run_cells(again, (0.6,))
    found = transfer_map(person)
    assert [each.slug for each in found.benchmarks] == ["elements", "grammar"]
    (line,) = found.lines
    assert [each.cell.study_id for each in line.cells] == [again.pk, study.pk]
    assert line.cells[0].cell.verdict != Verdict.TRANSFERS


def test_a_method_that_was_not_studied_somewhere_has_an_empty_field(person, source, study):
    run_cells(study, (0.85, 0.5))
    other = submit_experiment(user=person, benchmark="geography", method="vanilla", options={"weight": 0.1}, seeds=4)
    alone = start_study(user=person, experiment=train_by_hand(other).pk, benchmarks=["grammar"])
    run_cells(alone, (0.8,))
    first, second = transfer_map(person).lines
    assert [each and each.cell.study_id for each in first.cells] == [None, alone.pk]
    assert [each.cell.study_id for each in second.cells] == [study.pk, study.pk]


def test_no_event_says_what_the_verdict_is(study):
    run_cells(study, (0.85, 0.5))
    told = Event.objects.filter(kind__startswith="transfer.")
    assert {each.kind for each in told} == {"transfer.started", "transfer.judged", "transfer.done"}
    assert not [each for each in told if "verdict" in each.payload or "pgr" in str(each.payload)]


def test_the_end_of_an_experiment_wakes_the_judge_and_a_lost_message_is_sent_again(study, monkeypatch, settings):
    woken = []
    monkeypatch.setattr(dispatch, "judge_cell", woken.append)
    monkeypatch.setattr("experiments.services.reaper.queue_depths", lambda: {"gpu": 0, "evaluation": 0})
    cell = study.cells.order_by("id").first()
    train_by_hand(cell.experiment, 0.85)
    assert woken == [cell.experiment_id]
    reap()
    assert woken == [cell.experiment_id] * 2
    judge_cell(cell.experiment_id)
    reap()
    assert woken == [cell.experiment_id] * 2
    assert cell.experiment.state in ExperimentState.values


def test_agents_see_no_notes(source, study):
    assert notes_on(make_user("agent"), [source.pk]) == {}
