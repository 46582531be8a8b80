"""Calibration on honest experiments, and the command that shows it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from experiments.models import Experiment
from experiments.services.experiments import submit_experiment
from oversight.calibrating import calibrate
from oversight.models import Calibration, Flag
from oversight.services.decisions import decide_flag, reopen_flag
from oversight.services.flags import raise_flag
from tests.factories import make_method, make_user
from tests.labelled import make_labelled_benchmark, train_by_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def experiments():
    make_method("vanilla")
    make_labelled_benchmark()
    user = make_user()
    return [
        train_by_hand(
            submit_experiment(user=user, benchmark="geography", method="vanilla", options={"l2": l2}, seeds=4), accuracy
        )
        for l2, accuracy in ((1, 0.7), (2, 0.72), (4, 0.74), (8, 0.76), (16, 0.78))
    ]


def test_honest_experiments_and_sessions_of_them_are_counted_and_kept(experiments):
    measured = {each.detector: each for each in calibrate()}
    assert measured["impossible-score"].n == 5
    assert measured["static-scan"].n == measured["honeypot"].n == 0  # recipes: there is no code to scan
    assert measured["seed-ledger"].n == 0  # no finding cites them
    assert measured["near-duplicates"].n == 100
    assert measured["replay"].n == 0  # nothing was probed
    assert measured["near-duplicates"].holds == 0
    kept = Calibration.objects.get(detector="near-duplicates")
    assert (kept.n, kept.benchmark.slug, kept.false_positive_rate) == (100, "geography", 0)
    assert kept.details["thresholds"]["hold_steps"] == 8
    assert kept.details["of"] == "sessions"
    assert not Calibration.objects.filter(detector="replay").exists()


def test_flags_show_the_calibration_of_their_benchmark(experiments):
    from oversight.inspection import inspect_experiment
    from oversight.models import DetectorSetting

    calibrate(["geography"])
    DetectorSetting.objects.create(name="impossible-score", overrides={"pgr": 0.0001})
    inspect_experiment(experiment_id=experiments[-1].pk, worker="evaluation@test")
    flag = Flag.objects.get(detector="impossible-score")
    assert flag.calibration.n == 5


def set_standing(experiment, standing, **fields):
    Experiment.objects.filter(pk=experiment.pk).update(standing=standing, **fields)


def n_of(measured, detector="impossible-score"):
    (found,) = [each for each in measured if each.detector == detector]
    return found.n


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        ("disqualified", "disqualified"),
        ("under_review", "under review"),
        ("unverified", "unverified"),
        ("policy_gray", "judged policy-gray"),
    ],
)
def test_what_is_held_or_was_judged_is_no_honest_work(experiments, standing, reason):
    set_standing(experiments[0], standing)
    measured = calibrate()
    assert n_of(measured) == 4
    assert all(each.left_out == {reason: 1} for each in measured)
    assert Calibration.objects.get(detector="impossible-score").details["left_out"] == {reason: 1}


def test_what_is_tainted_is_left_out_and_each_is_counted_once(experiments):
    set_standing(experiments[0], "under_review")
    set_standing(experiments[1], "counted", tainted_by=experiments[0])
    set_standing(experiments[2], "disqualified", tainted_by=experiments[0])
    (measured,) = [each for each in calibrate() if each.detector == "impossible-score"]
    assert (measured.n, measured.left_out) == (2, {"disqualified": 1, "tainted": 1, "under review": 1})


def test_a_hold_leaves_out_and_a_flag_that_waits_does_not(experiments):
    """Else a detector that is often wrong would be measured without its mistakes."""
    raise_flag(detector="person", level="flag", subject=experiments[1], title="Look", evidence=["At this."])
    assert n_of(calibrate()) == 5
    raise_flag(detector="person", level="hold", subject=experiments[1], title="Look", evidence=["At this."])
    assert n_of(calibrate()) == 4


def test_a_gray_recipe_is_honest_and_a_cleared_result_counts_again(experiments):
    set_standing(experiments[0], "policy_gray", method_class="policy_gray")
    flag = raise_flag(detector="person", level="flag", subject=experiments[1], title="Look", evidence=["At this."])
    reviewer = make_user("reviewer")
    decide_flag(user=reviewer, flag_id=flag.pk, verdict="effect_removed", reason="no")
    assert n_of(calibrate()) == 4
    reopen_flag(user=reviewer, flag_id=flag.pk, reason="a mistake")
    decide_flag(user=reviewer, flag_id=flag.pk, verdict="clean", reason="it was fine")
    measured = calibrate()
    assert n_of(measured) == 5
    assert all(each.left_out == {} for each in measured)


def test_sessions_are_made_of_the_same_runs(experiments):
    for each in experiments:
        set_standing(each, "under_review")
    assert n_of(calibrate(), "near-duplicates") == 0


def say(*arguments):
    out = StringIO()
    call_command("detectors", *arguments, stdout=out)
    return out.getvalue()


def test_the_command(experiments):
    assert "near-duplicates: Uploads that differ" in say("list")
    assert "blind to" in say("list")
    said = say("run", str(experiments[0].pk))
    assert "static-scan              –" in said
    assert not Flag.objects.exists()
    set_standing(experiments[0], "under_review")
    set_standing(experiments[1], "disqualified")
    lines = say("calibrate", "geography").splitlines()
    assert lines[0].split() == ["detector", "benchmark", "n", "flags", "holds", "rate", "≤", "95%"]
    assert any(line.split()[:3] == ["impossible-score", "geography", "3"] for line in lines)
    assert lines[-2].startswith("nothing to measure on geography: ")
    assert "static-scan" in lines[-2]
    assert lines[-1].startswith("left out on geography: 1 disqualified, 1 under review")
    with pytest.raises(CommandError):
        say("run", "999999")
    with pytest.raises(CommandError, match="no benchmark"):
        say("calibrate", "nowhere")
