"""Votes, verdicts and what they do: two blind reviewers on holds, effects given back, rounds that only add."""

import pytest

from agents.models import Latch
from experiments.errors import Forbidden, IllegalTransition, InvalidInput, NotFound, Refused
from experiments.models import Event, Experiment
from forum.services.posting import post_finding
from oversight.models import Decision, DetectorSetting, Flag, Vote
from oversight.selectors.flags import flag_of
from oversight.selectors.precision import precision_of
from oversight.services.decisions import decide_flag, reopen_flag
from oversight.services.demotion import LEAST_DECIDED
from oversight.services.detectors import set_detector
from tests.factories import make_experiment, make_user
from tests.oversight.conftest import agents_experiment, raised

pytestmark = pytest.mark.django_db


def judge(flag: Flag, verdict: str, *reviewers) -> Flag:
    for reviewer in reviewers or (make_user("reviewer"), make_user("reviewer")):
        flag = decide_flag(user=reviewer, flag_id=flag.pk, verdict=verdict, reason="looked at the rows")
    return flag


@pytest.mark.parametrize(
    ("verdict", "standing", "held"),
    [
        ("clean", "counted", False),
        ("policy_gray", "policy_gray", False),
        ("effect_removed", "disqualified", False),
        ("disqualified", "disqualified", True),
        ("evaluator_bug", "unverified", False),
    ],
)
def test_a_verdict_sets_the_standing_and_gives_the_agent_back_unless_it_disqualifies(verdict, standing, held):
    experiment = agents_experiment()
    flag = judge(raised(experiment, level="hold"), verdict)
    experiment.refresh_from_db()
    assert (flag.state, experiment.standing) == ("decided", standing)
    assert Latch.objects.filter(released_at=None).exists() is held
    assert experiment.submitter.agent.state == ("paused" if held else "ready")
    assert experiment.flags == [{"id": flag.pk, "level": "hold", "state": "decided"}]


def test_nobody_judges_a_result_of_ones_own(settings):
    """Reviewers may run experiments, too: alone they could have cleared what is flagged in theirs."""
    reviewer, other = make_user("reviewer"), make_user("reviewer")
    experiment = make_experiment(user=reviewer, state="scored")
    flag = raised(experiment)
    with pytest.raises(Refused, match="your own"):
        decide_flag(user=reviewer, flag_id=flag.pk, verdict="clean", reason="I know it is")
    judge(flag, "effect_removed", other)
    with pytest.raises(Refused, match="your own"):
        reopen_flag(user=reviewer, flag_id=flag.pk, reason="I do not agree")
    experiment.refresh_from_db()
    assert experiment.standing == "disqualified"
    finding = post_finding(user=reviewer, kind="insight", title="t", body="b", experiments=[])
    with pytest.raises(Refused, match="your own"):
        decide_flag(user=reviewer, flag_id=raised(finding).pk, verdict="clean", reason="I know it is")
    settings.GRAVE_FLAG_REVIEWERS = 1  # a lab of one person
    assert reopen_flag(user=reviewer, flag_id=flag.pk, reason="I look again").state == "open"
    assert decide_flag(user=reviewer, flag_id=flag.pk, verdict="clean", reason="I know it is").state == "decided"


def test_clean_leaves_the_latches_of_others_and_other_holds_in_place():
    experiment = agents_experiment()
    first, second = raised(experiment, level="hold"), raised(experiment, level="hold", said="another")
    judge(first, "clean")
    experiment.refresh_from_db()
    assert experiment.standing == "under_review"
    assert Latch.objects.filter(released_at=None, kind="flag").exists()
    judge(second, "clean")
    experiment.refresh_from_db()
    assert experiment.standing == "counted"


def test_a_disqualified_method_is_disqualified_wherever_its_submitter_ran_it():
    experiment = agents_experiment()
    same = {"method_digest": experiment.method_digest, "benchmark": experiment.benchmark, "state": "scored"}
    rerun = make_experiment(user=experiment.submitter, **same)
    anothers = make_experiment(user=make_user(), **same)
    flag = judge(raised(experiment, level="hold"), "disqualified")
    assert {Experiment.objects.get(pk=e.pk).standing for e in (experiment, rerun)} == {"disqualified"}
    assert Experiment.objects.get(pk=anothers.pk).standing == "counted"
    reopen_flag(user=make_user("reviewer"), flag_id=flag.pk, reason="the replay was wrong")
    judge(Flag.objects.get(pk=flag.pk), "clean")
    assert {Experiment.objects.get(pk=e.pk).standing for e in (experiment, rerun)} == {"counted"}


def test_a_flag_needs_one_reviewer_and_a_hold_two_who_agree():
    experiment = agents_experiment()
    assert judge(raised(experiment), "clean", make_user("reviewer")).state == "decided"
    hold, first = raised(experiment, level="hold"), make_user("reviewer")
    assert judge(hold, "clean", first).state == "open"
    assert judge(hold, "clean", first).state == "open"  # the same person twice is one vote
    assert Vote.objects.filter(flag=hold).count() == 1
    assert judge(hold, "clean", make_user("reviewer")).state == "decided"


def test_the_second_reviewer_is_blind_to_the_first_until_both_have_voted():
    hold = raised(agents_experiment(), level="hold")
    first, second = make_user("reviewer"), make_user("admin")
    judge(hold, "disqualified", first)
    seen = flag_of(second, hold.pk)
    assert (seen.blind, seen.votes, seen.votes_cast) == (True, [], 1)
    assert [vote.verdict for vote in flag_of(first, hold.pk).votes] == ["disqualified"]
    judge(hold, "clean", second)
    assert [vote.verdict for vote in flag_of(second, hold.pk).votes] == ["disqualified", "clean"]
    assert "disqualified" not in str(list(Event.objects.filter(kind="flag.voted").values_list("payload", flat=True)))


def test_the_monitors_score_is_kept_back_until_one_has_voted():
    hold = raised(agents_experiment(), level="hold", detector="llm-monitor", source="monitor", statistic=93.0)
    reviewer = make_user("reviewer")
    assert flag_of(reviewer, hold.pk).statistic is None
    judge(hold, "clean", reviewer)
    assert flag_of(reviewer, hold.pk).statistic == 93.0


def test_reviewers_who_differ_may_vote_again_or_a_third_settles_it():
    experiment = agents_experiment()
    hold, first, second = raised(experiment, level="hold"), make_user("reviewer"), make_user("reviewer")
    judge(hold, "clean", first)
    with pytest.raises(IllegalTransition, match="stands until"):
        judge(hold, "disqualified", first)
    assert judge(hold, "disqualified", second).state == "open"
    assert judge(hold, "disqualified", first).state == "decided"
    other = raised(experiment, level="hold", said="other")
    judge(other, "clean", first), judge(other, "policy_gray", second)
    assert judge(other, "policy_gray", make_user("reviewer")).state == "decided"


def test_deciding_twice_is_harmless_and_deciding_otherwise_afterwards_is_refused():
    flag, reviewer = raised(agents_experiment()), make_user("reviewer")
    judge(flag, "clean", reviewer)
    judge(flag, "clean", reviewer)
    with pytest.raises(IllegalTransition, match="reopen"):
        judge(flag, "disqualified", reviewer)
    assert Decision.objects.count() == 1


def test_reopening_quarantines_again_and_keeps_what_was_decided():
    experiment = agents_experiment()
    flag = judge(raised(experiment, level="hold"), "clean")
    reopened = reopen_flag(user=make_user("reviewer"), flag_id=flag.pk, reason="new evidence")
    experiment.refresh_from_db()
    assert (reopened.state, reopened.round, experiment.standing) == ("open", 2, "under_review")
    assert Latch.objects.filter(kind="flag", released_at=None).exists()
    assert [each.verdict for each in flag.decisions.all()] == ["clean", "reopened"]
    assert flag_of(make_user("reviewer"), flag.pk).votes_cast == 0
    reopen_flag(user=make_user("reviewer"), flag_id=flag.pk, reason="again")
    assert flag.decisions.count() == 2


@pytest.mark.parametrize("role", ["viewer", "researcher", "agent"])
def test_only_reviewers_judge_and_agents_see_no_flag(role):
    flag, person = raised(agents_experiment()), make_user(role)
    with pytest.raises(NotFound if role == "agent" else Forbidden):
        decide_flag(user=person, flag_id=flag.pk, verdict="clean", reason="mine")


@pytest.mark.parametrize(
    ("verdict", "reason", "pointer"), [("innocent", "x", "#/verdict"), ("clean", "  ", "#/reason")]
)
def test_a_verdict_is_one_of_five_and_says_why(verdict, reason, pointer):
    flag = raised(agents_experiment())
    with pytest.raises(InvalidInput) as caught:
        decide_flag(user=make_user("reviewer"), flag_id=flag.pk, verdict=verdict, reason=reason)
    assert caught.value.pointer == pointer


def test_precision_counts_confirmed_over_decided_with_wilsons_interval():
    reviewer = make_user("reviewer")
    verdicts = ["clean", "disqualified", "policy_gray", "evaluator_bug"]
    for number, verdict in enumerate(verdicts):
        judge(raised(agents_experiment(), said=f"{number}"), verdict, reviewer)
    raised(agents_experiment(), said="open")
    raised(agents_experiment(), said="shown only", level="info")
    found = precision_of("replay")
    assert (found.confirmed, found.decided, found.aside, found.open) == (2, 3, 1, 1)
    # by hand: p = 2/3, n = 3, z = 1.95996
    assert (round(found.low, 4), round(found.high, 4)) == (0.2077, 0.9385)


def test_a_detector_that_is_wrong_four_times_in_five_is_demoted_and_an_admin_restores_it():
    reviewer, admin = make_user("reviewer"), make_user("admin")
    experiment = agents_experiment()
    for number in range(LEAST_DECIDED):
        assert not DetectorSetting.objects.exclude(demoted_at=None).exists()
        judge(raised(experiment, said=f"{number}"), "disqualified" if number == 0 else "clean", reviewer)
    assert DetectorSetting.objects.get().demotion == "1 of 10 decided flags were confirmed"
    assert raised(experiment, level="hold", said="later").level == "flag"
    with pytest.raises(Forbidden):
        set_detector(user=reviewer, name="replay", restore=True, reason="recalibrated")
    set_detector(user=admin, name="replay", restore=True, reason="recalibrated")
    judge(raised(experiment, said="after"), "clean", reviewer)
    assert DetectorSetting.objects.get().demoted_at is None  # one decision since then says little
    assert raised(experiment, level="hold", said="holds again").level == "hold"
