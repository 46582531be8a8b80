"""tests what sceptics tried on transfer studies: cells that are one, seeds that are shared, results that are not."""

from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from experiments.errors import Refused
from experiments.lifecycle import Standing, StudyState, Verdict
from experiments.models import Baseline, Event, Experiment, Run
from experiments.services.experiments import cancel_experiment, submit_experiment
from experiments.transfer.candidates import candidates_for
from experiments.transfer.judging import judge_cell
from experiments.transfer.selectors import notes_on, study_facts, study_of, transfer_map
from experiments.transfer.services import cancel_study, preview_study, start_study
from notifications.links import link_of
from notifications.models import Notification
from tests.factories import make_user
from tests.labelled import make_labelled_benchmark, train_by_hand
from tests.oversight.conftest import make_snapshot
from tests.pages.conftest import logged_in
from tests.transfer.conftest import CELLS, run_cells

pytestmark = pytest.mark.django_db


def seeds_of(experiment) -> set[int]:
    return set(Run.objects.filter(experiment=experiment).values_list("seed", flat=True))


def test_one_cell_under_two_names_is_not_two_cells_of_a_study(person, source):
    make_labelled_benchmark("elementa")  # labels depend on the slug's length: the same items, models and labels
    with pytest.raises(Refused, match="the same cell") as refused:
        start_study(user=person, experiment=source.pk, benchmarks=["elements", "grammar", "elementa"])
    assert refused.value.pointer == "#/cells/2/benchmark"


def test_who_submits_the_method_there_later_does_not_run_the_seeds_of_the_study(person, source, study):
    cell = study.cells.get(benchmark__slug="elements").experiment
    for _ in range(2):
        later = submit_experiment(user=person, benchmark="elements", method="vanilla", options={}, seeds=5)
        assert not seeds_of(later) & seeds_of(cell)


def test_variants_that_were_tried_there_are_written_down(person, source):
    """Somebody who tunes options on a cell, and then studies the winner, has not seen the winner only."""
    for weight in (0.1, 0.2, 0.3):
        train_by_hand(
            submit_experiment(user=person, benchmark="elements", method="vanilla", options={"weight": weight}, seeds=2)
        )
    first, second = preview_study(user=person, experiment=source.pk, benchmarks=list(CELLS))["cells"]
    assert (first["seen_before"], first["variants_before"]) == (0, 3)
    assert (second["seen_before"], second["variants_before"]) == (0, 0)
    page = logged_in(person).get(f"/transfer/new/?experiment={source.pk}").content.decode()
    assert "other variants 3×" in " ".join(page.replace('<span class="num">', "").replace("</span>", "").split())


def test_a_study_that_was_frozen_before_variants_were_counted_is_shown(person, source, study):
    facts = study_of(person, study.pk)
    del facts.plan["cells"][0]["variants_before"]
    (shown,) = study_facts([facts])
    assert shown.cells[0].planned.get("variants_before") is None


def test_a_result_that_an_evaluator_bug_made_does_not_count(person, study):
    run_cells(study, (0.85, 0.85))
    cell = study.cells.first().experiment
    Experiment.objects.filter(pk=cell.pk).update(standing=Standing.UNVERIFIED)
    (facts,) = study_facts([study_of(person, study.pk)])
    assert [each.counts for each in facts.cells] == [False, True]
    assert facts.headline.at_least == 1
    assert [each and each.cell.experiment_id for each in transfer_map(person).lines[0].cells] != [cell.pk]


def test_a_source_that_an_evaluator_bug_made_is_said_to_be_held(person, source, study):
    Experiment.objects.filter(pk=source.pk).update(standing=Standing.UNVERIFIED)
    (facts,) = study_facts([study_of(person, study.pk)])
    assert facts.source_held


def test_what_did_not_run_hides_no_verdict(person, source, study):
    run_cells(study, (0.85, 0.5))
    again = start_study(user=person, experiment=source.pk, benchmarks=CELLS)
    cancel_study(user=person, study_id=again.pk)
    for cell in again.cells.all():
        assert judge_cell(cell.experiment_id)
    (line,) = transfer_map(person).lines
    assert [each.cell.verdict for each in line.cells] == [Verdict.TRANSFERS, Verdict.HARMS]
    assert notes_on(person, [source.pk])[source.pk].study == study.pk


def test_a_cancelled_study_is_still_named_where_there_is_no_other(person, source, study):
    cancel_study(user=person, study_id=study.pk)
    assert notes_on(person, [source.pk])[source.pk].study == study.pk


def test_a_benchmark_whose_arms_say_nothing_of_seeds_is_refused(person, source):
    make_labelled_benchmark("latitude", seeds=1)
    assert Baseline.objects.filter(benchmark__slug="latitude").exists()
    with pytest.raises(Refused, match="1 seed"):
        preview_study(user=person, experiment=source.pk, benchmarks=["latitude"])
    reasons = {each.benchmark.slug: each.reason for each in candidates_for(source, 5)}
    assert "1 seed" in reasons["latitude"]


def test_text_that_no_slug_is_gets_an_answer(person, source):
    data = {"experiment": source.pk, "theta_min": "0.2", "seeds": "5", "cells": "\x00"}
    assert logged_in(person).post("/transfer/new/", data).status_code == 422


def test_people_are_told_when_a_study_is_done(person, source, study):
    run_cells(study, (0.85, 0.5))
    event = Event.objects.get(kind="transfer.done")
    assert link_of(event.subject) == f"/transfer/{study.pk}/"


def test_cells_that_people_cancel_one_by_one_end_the_study(person, study):
    for cell in study.cells.all():
        cancel_experiment(user=person, experiment_id=cell.experiment_id)
        assert judge_cell(cell.experiment_id)
    study.refresh_from_db()
    assert study.state == StudyState.DONE
    (facts,) = study_facts([study_of(make_user("viewer"), study.pk)])
    assert facts.headline.at_least == 0


def test_what_is_detected_depends_on_the_margin(person, source):
    """A PGR must lie above the margin by what can be told from it: with θ_min .5 more is needed than with 0."""
    for theta in (0.0, 0.5):
        (mde,) = (each.facts["mde"] for each in candidates_for(source, 5, theta) if each.benchmark.slug == "elements")
        address = f"/transfer/new/?experiment={source.pk}&seeds=5&theta_min={theta}"
        assert f"<b>{theta + mde:.2f}</b>" in logged_in(person).get(address).content.decode()
    odd = f"/transfer/new/?experiment={source.pk}&seeds=nan&theta_min=inf"
    assert f"<b>{0.2 + mde:.2f}</b>" in logged_in(person).get(odd).content.decode()


def test_who_sees_holdout_scores_is_told_in_their_notifications(person, source, study):
    reader, agent = make_user("viewer"), make_user("agent")
    run_cells(study, (0.85, 0.5))
    told = Notification.objects.filter(kind="transfer")
    assert {each.user_id for each in told} == {person.pk, reader.pk}
    assert agent.pk not in {each.user_id for each in told}
    assert told[0].text == f"Transfer study {study.pk} of experiment {source.pk} is done"


def test_the_checks_beside_a_verdict_are_shown(person, study):
    run_cells(study, (0.85, 0.5))
    client = logged_in(person)
    first, _ = client.get(f"/api/v1/transfer-studies/{study.pk}/").json()["cells"]
    assert set(first["accuracies"]) == {"weak", "candidate", "vanilla", "ceiling"}
    low, high = first["bootstrap"]
    assert low < first["pgr"]["value"] < high
    assert f"[{low:.2f}, {high:.2f}]" in client.get(f"/transfer/{study.pk}/").content.decode()


def test_the_map_says_which_margin_and_what_only_explores(person, source):
    loose = start_study(user=person, experiment=source.pk, benchmarks=["elements"], theta_min=0.0, seeds=3)
    run_cells(loose, (0.85,))
    assert "3 seeds, θ 0.00, exploratory" in logged_in(person).get("/transfer/").content.decode()


def test_pages_read_as_often_for_many_studies_as_for_one(person, source, study, django_assert_max_num_queries):
    run_cells(study, (0.85, 0.5))
    client = logged_in(person)
    addresses = ("/transfer/", f"/transfer/{study.pk}/", "/leaderboard/?benchmark=geography")
    before = {}
    for address in addresses:
        with CaptureQueriesContext(connection) as asked:
            client.get(address)
        before[address] = len(asked)
    for _ in range(3):
        start_study(user=person, experiment=source.pk, benchmarks=CELLS)
    for address in addresses:
        with django_assert_max_num_queries(before[address]):
            client.get(address)


def test_a_study_of_code_is_named_by_its_title_and_a_waiting_cell_says_its_seeds(person, source, study):
    snapshot = make_snapshot(person, "def fit(context): ...")
    Experiment.objects.filter(pk=source.pk).update(title="My own idea", snapshot=snapshot)
    client = logged_in(person)
    page = client.get(f"/transfer/{study.pk}/").content.decode()
    assert "<h1>Does “My own idea” transfer?</h1>" in page
    assert '<td class="n">5</td>' in page
    assert "My own idea" in client.get("/transfer/").content.decode()


def test_a_verdict_on_the_source_while_the_plan_is_made_stops_the_study(person, source, monkeypatch):
    held = partial(Experiment.objects.filter(pk=source.pk).update, standing=Standing.DISQUALIFIED)
    monkeypatch.setattr("experiments.transfer.services.lock_for_adding", held)
    with pytest.raises(Refused, match="disqualified"):
        start_study(user=person, experiment=source.pk, benchmarks=CELLS)
