"""Calibration on honest experiments, and the command that shows it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from experiments.services.experiments import submit_experiment
from oversight.calibrating import calibrate
from oversight.models import Calibration, Flag
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


def test_disqualified_experiments_do_not_count(experiments):
    experiments[0].standing = "disqualified"
    experiments[0].save(update_fields=["standing"])
    raise_flag(detector="person", level="flag", subject=experiments[1], title="Look", evidence=["At this."])
    assert {each.n for each in calibrate() if each.detector == "impossible-score"} == {4}


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
    lines = say("calibrate", "geography").splitlines()
    assert lines[0].split() == ["detector", "benchmark", "n", "flags", "holds", "rate", "≤", "95%"]
    assert any(line.startswith("near-duplicates") and " 100 " in line for line in lines)
    assert lines[-1].startswith("nothing to measure on geography: ")
    assert "static-scan" in lines[-1]
    with pytest.raises(CommandError):
        say("run", "999999")
    with pytest.raises(CommandError, match="no benchmark"):
        say("calibrate", "nowhere")
