"""A submission and a verdict at the same moment: whichever is first, what descends from held code is tainted."""

from functools import partial

import pytest
from django.db import transaction

from experiments import events
from experiments.lifecycle import Standing
from experiments.models import Experiment
from experiments.options import digest_of
from experiments.services import experiments as submitting
from experiments.services.experiments import rerun_experiment, submit_experiment
from experiments.services.runs import claim_runs, fail_runs
from experiments.snapshots.services import create_snapshot
from oversight.services import effects
from oversight.services.decisions import reopen_flag
from tests.asides import Aside, waits
from tests.factories import make_experiment, make_method, make_user
from tests.oversight.conftest import coded, decided, make_snapshot, raised

pytestmark = pytest.mark.django_db(transaction=True)

NO_OPTIONS = {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.fixture
def source(roles):
    """Somebody's scored code, in a lab that runs code."""
    make_method("code", options_schema=NO_OPTIONS)
    made = coded(make_user("researcher"))
    made.method_digest = digest_of(made.snapshot.digest, {})  # as if it had been submitted
    made.save()
    return made


def holds(source):
    return partial(raised, source, level="hold")


def clears(source):
    flag, first, second = raised(source, level="hold"), make_user("reviewer"), make_user("reviewer")
    decided(flag, "clean", first)
    return partial(decided, flag, "clean", second)


def reopens(source):
    flag, reviewers = raised(source, level="hold"), [make_user("reviewer"), make_user("reviewer")]
    decided(flag, "clean", *reviewers)
    return partial(reopen_flag, user=reviewers[0], flag_id=flag.pk, reason="the replay was wrong")


def disqualified(experiment):
    """What the second reviewer says of it, so that it is decided."""
    flag, reviewers = raised(experiment, level="hold"), [make_user("reviewer"), make_user("reviewer")]
    decided(flag, "disqualified", reviewers[0])
    return partial(decided, flag, "disqualified", reviewers[1])


VERDICTS = [(holds, True), (clears, False), (reopens, True)]  # and whether what descends is tainted afterwards


def submits(source, code):
    place, user = source.benchmark.slug, make_user("researcher")
    return partial(submit_experiment, user=user, benchmark=place, options={}, snapshot=code, seeds=1)


def known_code(source):
    """An experiment with code that is here already."""
    return submits(source, make_snapshot(source.submitter, "new", source.snapshot).pk)


def new_code(source):
    """Code and its experiment in one transaction, as an agent submits its workspace."""
    user = make_user("researcher")

    def both():
        with transaction.atomic():
            code = create_snapshot(user=user, files={"method.py": "x = 1"}, parents=[source.snapshot_id])
            return submits(source, code.pk)()

    return both


def a_rerun(source):
    """The same code again: its result descends from the other's."""
    return partial(rerun_experiment, user=make_user("researcher"), experiment_id=source.pk)


SUBMISSIONS = [known_code, new_code, a_rerun]


def taint(made):
    return Experiment.objects.get(pk=made.pk).tainted_by_id


@pytest.mark.parametrize("submission", SUBMISSIONS)
@pytest.mark.parametrize(("verdict", "taints"), VERDICTS)
def test_what_is_submitted_while_a_verdict_is_committed_knows_of_it(source, meet, submission, verdict, taints):
    made = meet(effects, "_settle_method", verdict(source), submission(source))
    assert taint(made) == (source.pk if taints else None)


@pytest.mark.parametrize("submission", SUBMISSIONS)
@pytest.mark.parametrize(("verdict", "taints"), VERDICTS)
def test_a_verdict_finds_what_was_being_submitted_when_it_came(source, meet, submission, verdict, taints):
    meet(submitting, "draw_seeds", submission(source), verdict(source))
    assert taint(Experiment.objects.latest("pk")) == (source.pk if taints else None)


def test_between_a_verdict_s_locks_and_its_first_event_nothing_descends(source, meet):
    """Or a worker could take it and wait for the log, which the verdict holds when it finds the new row."""
    made = meet(events, "record", holds(source), known_code(source))
    assert taint(made) == source.pk


def test_code_waits_for_no_verdict_but_what_runs_it_does(source, stop):
    verdict, go_on = stop(effects, "_settle_method", holds(source))
    user = make_user("researcher")
    made = Aside(lambda: create_snapshot(user=user, files={"method.py": "x = 1"}, parents=[source.snapshot_id]))
    late = Aside(submits(source, made.result().pk))
    assert waits(late)
    go_on.set()
    verdict.result()
    assert taint(late.result()) == source.pk


def test_a_disqualified_method_s_rerun_that_was_being_submitted_is_disqualified_with_it(source, meet):
    recipe = make_method("logconf", options_schema=NO_OPTIONS)
    digest = digest_of(recipe.code_digest, {})
    gamed = make_experiment(method=recipe, state="scored", method_digest=digest, user=source.submitter)
    verdict = disqualified(gamed)
    rerun = partial(rerun_experiment, user=gamed.submitter, experiment_id=gamed.pk)
    meet(submitting, "draw_seeds", rerun, verdict)
    assert Experiment.objects.get(rerun_of=gamed).standing == Standing.DISQUALIFIED


def test_a_run_of_the_method_that_waits_for_the_verdict_takes_it_over(source, meet):
    again = partial(rerun_experiment, user=source.submitter, experiment_id=source.pk)
    made = meet(effects, "_settle_method", disqualified(source), again)
    assert Experiment.objects.get(pk=made.pk).standing == Standing.DISQUALIFIED


def test_two_later_runs_of_a_disqualified_method_wait_for_each_other_and_both_are_disqualified(source, meet):
    """Each taints the first run; both have the descent lock shared, and one waits for that run's row."""
    disqualified(source)()
    assert taint(source) is None
    place, user = source.benchmark.slug, source.submitter
    again = partial(submit_experiment, user=user, benchmark=place, options={}, snapshot=source.snapshot_id, seeds=1)
    # the seed of each run derives from the method and its replicate: the later one is a rerun
    meet(submitting, "draw_seeds", again, partial(rerun_experiment, user=user, experiment_id=source.pk))
    later = Experiment.objects.exclude(pk=source.pk).order_by("pk")
    assert [each.standing for each in later] == [Standing.DISQUALIFIED] * 2
    assert [each.tainted_by_id for each in later] == [source.pk] * 2
    assert taint(source) == later[0].pk


def test_workers_do_not_wait_for_a_verdict_on_something_else(source, stop):
    other = make_experiment()
    verdict, go_on = stop(events, "record", holds(source))
    fail_runs(claim=Aside(partial(claim_runs, worker="gpu@here")).result(), reason="it diverged")
    other.refresh_from_db()
    assert other.state == "failed"
    go_on.set()
    verdict.result()
