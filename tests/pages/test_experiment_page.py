"""The page of one experiment, its comparison with others, and its export."""

import json

from tests.factories import make_experiment, make_runs, stored_score


def page_of(client, experiment) -> str:
    return client.get(f"/experiments/{experiment.pk}/").content.decode()


def test_a_scored_one_shows_its_score_with_interval_and_n(lab, viewer):
    page = page_of(viewer, lab["scored"])
    assert "<b>0.50</b>" in page and "[0.40, 0.60]" in page
    assert "n = 500 items, 3 seeds, accuracy 0.700" in page
    assert "+0.10" in page  # over vanilla
    assert "3 of 3 done" in page
    assert "arXiv:2312.09390" in page
    assert "w" * 64 in page  # provenance: the weights' digest


def test_nested_provenance_is_shown_line_by_line(lab, viewer):
    lab["scored"].provenance = {"digests": {"weak_weights": "a" * 64}, "versions": {"torch": "2.13.0"}}
    lab["scored"].save()
    page = page_of(viewer, lab["scored"])
    assert f'<dt>digests weak weights</dt><dd class="hash">{"a" * 64}</dd>' in page
    assert '<dt>versions torch</dt><dd class="hash">2.13.0</dd>' in page


def test_options_stand_beside_their_defaults(lab, viewer):
    page = page_of(viewer, lab["scored"])
    line = page.split('class="mono">l2</th>')[1].split("</tr>")[0]
    assert "differs" in line and ">0.5<" in line and ">cv<" in line
    assert "differs" not in page.split('class="mono">weight</th>')[1].split("</tr>")[0]


def test_an_unbounded_interval_says_so_and_why(lab, viewer):
    score = stored_score(0.4) | {"bounded": False, "low": 0.1, "high": None, "reason": "the gap is within its noise"}
    row = make_experiment(user=lab["scored"].submitter, state="scored", dev=0.4, dev_score=score)
    page = page_of(viewer, row)
    assert "[unbounded]" in page and "the gap is within its noise" in page


def test_a_running_one_shows_progress_and_asks_again_by_itself(lab, viewer):
    page = page_of(viewer, lab["running"])
    assert 'data-poll="2000"' in page
    assert 'data-live="experiment:' in page
    assert "training" in page and "2/5" in page
    assert "Seeds done" in page


def test_an_ended_one_does_not_ask_again(lab, viewer):
    for name in ("scored", "failed", "cancelled"):
        assert "data-poll" not in page_of(viewer, lab[name])


def test_a_failed_one_says_why_and_which_seeds(lab, viewer):
    page = page_of(viewer, lab["failed"])
    assert "every seed failed" in page
    assert "Seeds 0–2" in page and "the loss became NaN at step 3" in page


def test_standing_is_said_in_words(lab, viewer):
    assert "this score does not count" in page_of(viewer, lab["disqualified"])
    assert "Policy-gray" in page_of(viewer, lab["gray"])


def test_the_history_lists_what_happened(lab, viewer):
    page = page_of(viewer, lab["scored"]).split('id="events-title"')[1]
    assert "<b>the lab</b> scored" in page and "<b>ada</b> submitted" in page


def test_the_export_holds_everything_and_is_a_file(lab, viewer):
    response = viewer.get(f"/experiments/{lab['scored'].pk}.json")
    answer = json.loads(response.content)
    assert response["Content-Disposition"] == f'attachment; filename="experiment-{lab["scored"].pk}.json"'
    assert answer["options"] == {"l2": 0.5}
    assert [run["seed_index"] for run in answer["runs"]] == [0, 1, 2]
    assert {line["arm"] for line in answer["baselines"]} == {"weak", "vanilla", "ceiling", "control"}


def test_comparing_marks_what_differs_and_pairs_what_can_be_paired(lab, viewer):
    page = viewer.get(f"/experiments/compare/?ids={lab['scored'].pk},{lab['other'].pk}").content.decode()
    assert "Compare 2 experiments" in page
    l2 = page.split('class="mono">l2</span>')[1].split("</tr>")[0]
    assert l2.count("differs") == 1
    assert "+0.200" in page and "differs beyond seed noise" in page


def test_comparing_over_benchmarks_warns(lab, viewer):
    from tests.factories import make_benchmark

    far = make_experiment(user=lab["scored"].submitter, benchmark=make_benchmark("city-size"), state="scored")
    page = viewer.get(f"/experiments/compare/?ids={lab['scored'].pk}&ids={far.pk}").content.decode()
    assert "different denominators" in page
    assert "Paired differences" not in page


def test_comparing_nothing_says_how(lab, viewer):
    assert "Tick two to eight experiments" in viewer.get("/experiments/compare/").content.decode()
    assert "Tick two to eight experiments" in viewer.get("/experiments/compare/?ids=999999").content.decode()


def test_at_most_eight_are_compared(lab, viewer):
    rows = [make_experiment(user=lab["scored"].submitter, state="scored", seeds=1) for _ in range(9)]
    ids = ",".join(str(row.pk) for row in rows)
    assert "Compare 8 experiments" in viewer.get(f"/experiments/compare/?ids={ids}").content.decode()


def test_a_long_log_shows_its_end(lab, viewer):
    row = make_experiment(user=lab["scored"].submitter, state="scored", runs=False, seeds=1)
    make_runs(row, log="\n".join(f"line {index}." for index in range(100)))
    page = page_of(viewer, row)
    assert "line 99." in page and "line 60." in page and "line 59." not in page
