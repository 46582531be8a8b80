"""tests experiments/services/experiments.py."""

import pytest

from experiments.errors import Forbidden, IllegalTransition, InvalidInput, NotFound, NotReady, Refused
from experiments.lifecycle import BenchmarkState, ExperimentState, MethodClass, RunState, Standing
from experiments.models import Event, Experiment
from experiments.seeds import draw_seeds
from experiments.services.experiments import cancel_experiment, rerun_experiment, submit_experiment
from experiments.services.runs import claim_runs
from tests.factories import make_benchmark, make_experiment, make_method, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab():
    """A researcher, a ready benchmark, a method."""
    return make_user(), make_benchmark(), make_method()


def submit(user, **fields) -> Experiment:
    return submit_experiment(user=user, **{"benchmark": "geography", "method": "vanilla", "options": {}, **fields})


def test_submitting_queues_one_run_per_seed_and_says_so(lab):
    user, benchmark, method = lab
    experiment = submit(user, seeds=5, title="First", hypothesis="It will do.")
    assert (experiment.state, experiment.benchmark, experiment.method) == (ExperimentState.QUEUED, benchmark, method)
    runs = list(experiment.runs.all())
    assert [run.seed_index for run in runs] == [0, 1, 2, 3, 4]
    assert {run.state for run in runs} == {RunState.QUEUED}
    assert len({run.seed for run in runs}) == 5
    event = Event.objects.get(kind="experiment.submitted")
    assert (event.subject, event.actor) == (f"experiment:{experiment.pk}", user)
    assert event.payload == {"experiment": experiment.pk, "benchmark": "geography", "state": "queued"}


def test_defaults_are_filled_in_and_title_and_seeds_have_theirs(lab):
    experiment = submit(lab[0])
    assert experiment.options == {"l2": "cv", "weight": 0.5, "rounds": 3, "hard": True, "schedule": "linear"}
    assert experiment.title == "Vanilla on Geography"
    assert experiment.seeds == 3 == experiment.runs.count()


def test_the_same_submission_has_the_same_seeds_however_it_is_spelt(lab):
    first = submit(lab[0], seeds=3, title="one")
    again = submit(make_user(), seeds=5, title="another", options={"weight": 0.5, "rounds": 3.0})
    seeds = [list(each.runs.values_list("seed", flat=True)) for each in (first, again)]
    assert seeds[1][:3] == seeds[0]
    assert first.method_digest == again.method_digest


def test_other_options_code_or_benchmark_draw_other_seeds(lab):
    user, _, method = lab
    make_benchmark("latitude")
    drawn = [submit(user), submit(user, options={"weight": 0.4}), submit(user, benchmark="latitude")]
    method.code_digest = "e" * 64
    method.save()
    drawn.append(submit(user))
    firsts = [each.runs.get(seed_index=0).seed for each in drawn]
    assert len(set(firsts)) == 4


def test_seeds_need_the_secret(settings):
    settings.SEED_SECRET = "one"
    first = draw_seeds("d" * 64, "geography", 0, 2)
    settings.SEED_SECRET = "two"
    assert first != draw_seeds("d" * 64, "geography", 0, 2)
    assert all(0 <= seed < 2**63 for seed in first)
    settings.SEED_SECRET = ""
    with pytest.raises(Exception, match="SEED_SECRET is not set"):
        draw_seeds("d" * 64, "geography", 0, 2)


def test_seeds_are_the_documented_hmac(settings):
    settings.SEED_SECRET = "secret"
    # printf 'digest\ngeography\n1\n2' | openssl dgst -sha256 -hmac secret, first 16 digits, halved
    assert draw_seeds("digest", "geography", 1, 3)[2] == 0xAAA913714C74FEA9 >> 1


@pytest.mark.parametrize(
    ("fields", "pointer", "message"),
    [
        ({"benchmark": "nowhere"}, "#/benchmark", "known: geography"),
        ({"method": "magic"}, "#/method/recipe", "known: vanilla"),
        ({"seeds": 0}, "#/seeds", "expected 1 to 100"),
        ({"seeds": 101}, "#/seeds", "expected 1 to 100"),
        ({"title": "x" * 201}, "#/title", "at most 200"),
        ({"hypothesis": "a\x00b"}, "#/hypothesis", "NUL"),
        ({"options": {"wieght": 1}}, "#/method/options/wieght", "options: hard, l2, rounds, schedule, weight"),
        ({"options": {"weight": 2}}, "#/method/options/weight", "expected a number from 0 to 1"),
        ({"options": {"rounds": 2.5}}, "#/method/options/rounds", "expected a whole number from 1 to 10"),
        ({"options": {"l2": -1}}, "#/method/options/l2", 'expected a number above 0 or "cv"'),
        ({"options": {"l2": float("nan")}}, "#/method/options/l2", "finite"),
        ({"options": {"schedule": "sudden"}}, "#/method/options/schedule", 'expected "linear" or "constant"'),
        ({"options": {"hard": "yes"}}, "#/method/options/hard", "expected true or false"),
    ],
)
def test_bad_input_names_the_field_and_what_is_allowed(lab, fields, pointer, message):
    with pytest.raises(InvalidInput, match=message) as caught:
        submit(lab[0], **fields)
    assert caught.value.pointer == pointer
    assert not Experiment.objects.exists()


def test_a_viewer_may_not_submit(lab):
    with pytest.raises(Forbidden):
        submit(make_user("viewer"))


@pytest.mark.parametrize("state", [BenchmarkState.REGISTERED, BenchmarkState.PREPARING, BenchmarkState.FAILED])
def test_a_benchmark_that_is_not_ready_says_how_far_it_is(state):
    make_benchmark(state=state, stage="reading texts", error="no such model")
    make_method()
    with pytest.raises(NotReady, match=r"reading texts|no such model|not been prepared"):
        submit(make_user())


def test_a_reference_takes_no_experiments():
    make_benchmark(state=BenchmarkState.REFERENCE)
    make_method()
    with pytest.raises(Refused, match="published figures"):
        submit(make_user())


def test_a_method_that_needs_what_the_benchmark_keeps_back_is_refused(lab):
    make_method("zero-shot", uses=["likelihood"], method_class=MethodClass.POLICY_GRAY)
    with pytest.raises(Refused, match="needs likelihood, which geography keeps back"):
        submit(lab[0], method="zero-shot")


def test_an_option_that_asks_for_what_the_benchmark_keeps_back_is_refused(lab):
    prior = {"enum": ["student", "likelihood"], "default": "student", "needs": {"likelihood": ["likelihood"]}}
    make_method("noisy", options_schema={"properties": {"prior": prior}})
    with pytest.raises(Refused, match="noisy with these options needs likelihood") as caught:
        submit(lab[0], method="noisy", options={"prior": "likelihood"})
    assert caught.value.pointer == "#/method/options"
    assert submit(lab[0], method="noisy", options={"prior": "student"}).pk


def test_a_method_that_is_switched_off_is_refused(lab):
    make_method("old", enabled=False)
    with pytest.raises(Refused, match="switched off"):
        submit(lab[0], method="old")


def test_policy_gray_methods_stand_apart_from_the_start(lab):
    make_method("few-shot", uses=["hidden_states"], method_class=MethodClass.POLICY_GRAY)
    experiment = submit(lab[0], method="few-shot")
    assert (experiment.method_class, experiment.standing) == (MethodClass.POLICY_GRAY, Standing.POLICY_GRAY)


def test_reruns_have_fresh_seeds_each_time(lab):
    user = lab[0]
    first = make_scored(submit(user, title="First", options={"rounds": 2}))
    reruns = [rerun_experiment(user=user, experiment_id=first.pk), rerun_experiment(user=user, experiment_id=first.pk)]
    assert [each.replicate for each in reruns] == [1, 2]
    assert all(each.rerun_of == first and each.options["rounds"] == 2 for each in reruns)
    seeds = [set(each.runs.values_list("seed", flat=True)) for each in (first, *reruns)]
    assert not seeds[0] & seeds[1] and not seeds[1] & seeds[2]


def test_a_rerun_waits_for_the_end_and_needs_permission(lab):
    experiment = submit(lab[0])
    with pytest.raises(IllegalTransition, match="queued"):
        rerun_experiment(user=lab[0], experiment_id=experiment.pk)
    with pytest.raises(Forbidden):
        rerun_experiment(user=make_user("agent"), experiment_id=experiment.pk)
    with pytest.raises(NotFound):
        rerun_experiment(user=lab[0], experiment_id=experiment.pk + 1)


def make_scored(experiment: Experiment) -> Experiment:
    """As the scorer would leave it, for tests about what comes after."""
    Experiment.objects.filter(pk=experiment.pk).update(state="scored", dev_accuracy=0.7)
    experiment.refresh_from_db()
    return experiment


def test_cancelling_a_queued_experiment_ends_its_runs(lab):
    experiment = submit(lab[0])
    cancelled = cancel_experiment(user=lab[0], experiment_id=experiment.pk)
    assert cancelled.state == ExperimentState.CANCELLED
    assert cancelled.finished_at is not None
    assert set(cancelled.runs.values_list("state", flat=True)) == {RunState.CANCELLED}
    assert claim_runs(worker="gpu@test") is None


def test_cancelling_takes_the_lease_from_a_running_one(lab):
    experiment = submit(lab[0])
    claim = claim_runs(worker="gpu@test")
    cancel_experiment(user=lab[0], experiment_id=experiment.pk)
    run = experiment.runs.first()
    assert (run.state, run.lease_owner, run.lease_until) == (RunState.CANCELLED, "", None)
    assert claim is not None


@pytest.mark.parametrize("state", [ExperimentState.SCORED, ExperimentState.FAILED, ExperimentState.CANCELLED])
def test_what_has_ended_cannot_be_cancelled(lab, state):
    experiment = make_experiment(state=state, user=lab[0])
    with pytest.raises(IllegalTransition, match=state):
        cancel_experiment(user=lab[0], experiment_id=experiment.pk)


def test_only_reviewers_cancel_what_is_not_theirs(lab):
    experiment = submit(lab[0])
    with pytest.raises(Forbidden):
        cancel_experiment(user=make_user(), experiment_id=experiment.pk)
    cancel_experiment(user=make_user("reviewer"), experiment_id=experiment.pk)
    with pytest.raises(NotFound):
        cancel_experiment(user=lab[0], experiment_id=experiment.pk + 1)
