"""Flags, verdicts and workers at the same moment, on connections of their own: whoever is second waits; nobody dies."""

import pytest
from django.db import transaction

from agents.models import Latch
from agents.services.writes import locked_agent
from experiments import events
from experiments.errors import IllegalTransition
from experiments.lifecycle import ExperimentState, Standing
from experiments.models import Event as Line
from experiments.models import Experiment
from experiments.services import runs as services
from experiments.services.runs import claim_runs, fail_runs
from oversight.detectors import Suspicion
from oversight.inspection import raise_flags
from oversight.models import DetectorSetting
from oversight.services import detectors, flags
from oversight.services.decisions import reopen_flag
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_experiment, make_user
from tests.oversight.conftest import agents_experiment, coded, decided, make_snapshot, raised

pytestmark = pytest.mark.django_db(transaction=True)


def fails(experiment):
    """What a worker does that trains this one and fails: the experiment's row, then events."""
    claim = claim_runs(worker="gpu@here", experiment_id=experiment.pk)
    return lambda: fail_runs(claim=claim, reason="it diverged")


def descendant_of(experiment):
    """Somebody's experiment, waiting, with code that descends from this one's."""
    child = make_snapshot(experiment.submitter, "def fit(): ...", experiment.snapshot)
    return make_experiment(snapshot=child)


def flagged(said):
    with transaction.atomic():
        return raise_flags([("replay", said, "")], benchmark=None)


def suspicion(*blames):
    return Suspicion(
        level="hold", title="Replay differs", statistic=0.04, threshold=0.01, p_value=1e-6, sentences=("h = 0.04",),
        blames=blames,
    )  # fmt: skip


def test_a_hold_waits_for_whoever_writes_to_what_it_taints(meet):
    source = coded(make_user())
    child = descendant_of(source)
    meet(services, "move_runs", fails(child), lambda: raised(source, level="hold"))
    child.refresh_from_db()
    assert (child.state, child.tainted_by_id) == (ExperimentState.FAILED, source.pk)


@pytest.mark.parametrize("verb", ["decide", "reopen"])
def test_a_verdict_waits_for_whoever_writes_to_another_run_of_the_method(meet, verb):
    experiment, reviewers = make_experiment(state="scored"), [make_user("reviewer"), make_user("reviewer")]
    flag = raised(experiment, level="hold")
    rerun = make_experiment(user=experiment.submitter, method_digest=experiment.method_digest)
    decided(flag, "disqualified", *reviewers[: 1 if verb == "decide" else 2])
    if verb == "decide":
        meet(services, "move_runs", fails(rerun), lambda: decided(flag, "disqualified", reviewers[1]))
    else:
        again = {"user": reviewers[0], "flag_id": flag.pk, "reason": "the replay was wrong"}
        meet(services, "move_runs", fails(rerun), lambda: reopen_flag(**again))
    rerun.refresh_from_db()
    assert rerun.state == ExperimentState.FAILED
    assert rerun.standing == (Standing.DISQUALIFIED if verb == "decide" else Standing.COUNTED)


def test_two_verdicts_that_touch_each_other_s_experiments_wait_for_each_other(meet):
    source = coded(make_user())
    child = make_experiment(state="scored", snapshot=make_snapshot(source.submitter, "new", source.snapshot))
    meet(events, "record", lambda: raised(child, level="hold"), lambda: raised(source, level="hold"))
    assert set(Experiment.objects.values_list("standing", flat=True)) == {Standing.UNDER_REVIEW}
    child.refresh_from_db()
    assert child.tainted_by_id == source.pk


def test_an_inspection_that_blames_two_agents_waits_for_both_before_it_tells_of_one(meet):
    blamed = [agents_experiment() for _ in range(2)]
    last = blamed[1].submitter.agent

    def write():
        with transaction.atomic():
            locked_agent(last.pk)
            events.record("agent.wrote", f"agent:{last.pk}")

    said = [suspicion(("experiment", each.pk)) for each in blamed]
    meet(events, "record", write, lambda: flagged(said))
    assert Latch.objects.filter(kind="flag", released_at=None).count() == 2


def test_a_hold_on_an_agent_takes_the_lab_s_log_before_the_campaign_s(meet):
    agent = the_agent(make_campaign())
    others = make_experiment(campaign=agent.campaign_id)
    # listeners hear of an event when its counter is held: here the lab's is, and the campaign's is not yet
    meet(events, "_listeners", fails(others), lambda: raised(agent, level="hold"))
    assert Latch.objects.filter(agent=agent, kind="flag").exists()
    assert Line.objects.filter(kind="flag.raised").count() == 2


@pytest.mark.parametrize("is_set", [True, False])
def test_a_verdict_and_whoever_sets_its_detector_wait_for_each_other(meet, is_set):
    if is_set:
        DetectorSetting.objects.create(name="replay")
    flag, reviewer, admin = raised(make_experiment(state="scored")), make_user("reviewer"), make_user("admin")
    change = {"user": admin, "name": "replay", "enabled": False, "reason": "too loud"}
    meet(events, "record", lambda: detectors.set_detector(**change), lambda: decided(flag, "clean", reviewer))
    flag.refresh_from_db()
    assert flag.state == "decided"


def test_of_two_who_claim_at_the_same_moment_one_is_told_by_whom(meet):
    """No agent's row stands before this flag's, so they meet at the flag itself."""
    flag, (rita, sam) = (
        raised(make_experiment(state="scored")),
        (make_user("reviewer", name) for name in ("rita", "sam")),
    )
    with pytest.raises(IllegalTransition, match="claimed by rita"):
        meet(
            flags,
            "tell",
            lambda: flags.claim_flag(user=rita, flag_id=flag.pk),
            lambda: flags.claim_flag(user=sam, flag_id=flag.pk),
        )
    flag.refresh_from_db()
    assert flag.claimed_by == rita
