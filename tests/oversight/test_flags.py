"""Flags: raised once, with their effects; claimed under a lock; never deleted."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.lifecycle import LatchKind
from agents.models import Latch
from agents.services.control import resume_agent
from experiments.errors import Forbidden, IllegalTransition, InvalidInput
from experiments.models import Event, Experiment
from experiments.services.experiments import submit_experiment
from forum.selectors.finding_page import thread
from forum.services.posting import post_finding
from oversight.models import Decision, DetectorSetting, Flag, Vote
from oversight.services.decisions import decide_flag
from oversight.services.flags import claim_flag, flag_by_hand, raise_flag
from tests.agents.conftest import the_agent
from tests.factories import make_experiment, make_method, make_user
from tests.oversight.conftest import agents_experiment, make_snapshot, raised

pytestmark = pytest.mark.django_db


def test_a_hold_quarantines_the_result_latches_the_agent_and_is_told_in_the_campaigns_log():
    experiment = agents_experiment()
    flag = raised(experiment, level="hold")
    experiment.refresh_from_db()
    latch = Latch.objects.get(released_at=None)
    assert (experiment.standing, latch.kind, latch.agent.user) == ("under_review", LatchKind.FLAG, experiment.submitter)
    assert experiment.flags == [{"id": flag.pk, "level": "hold", "state": "open"}]
    events = Event.objects.filter(kind="flag.raised")
    assert sorted(events.values_list("campaign", flat=True)) == [0, experiment.campaign]
    assert events.first().payload["experiment"] == experiment.pk


@pytest.mark.parametrize("level", ["info", "flag"])
def test_a_flag_or_info_leaves_the_standing_and_the_agent_alone(level):
    experiment = agents_experiment()
    raised(experiment, level=level)
    experiment.refresh_from_db()
    assert experiment.standing == "counted"
    assert not Latch.objects.exists()


def test_the_same_suspicion_twice_is_one_flag_and_other_evidence_is_another():
    experiment = agents_experiment()
    first = raised(experiment)
    assert raised(experiment).pk == first.pk
    assert raised(experiment, said="h = 0.05").pk != first.pk
    assert Event.objects.filter(kind="flag.raised", campaign=0).count() == 2


def test_a_hold_on_an_agent_holds_it_and_no_token_of_an_agent_can_release_it():
    experiment = agents_experiment()
    agent = the_agent(experiment.submitter.agent.campaign)
    raised(agent, level="hold", detector="api-misuse")
    agent.refresh_from_db()
    assert agent.state == "paused"
    with pytest.raises(Forbidden):
        resume_agent(user=agent.user, agent_id=agent.pk, reason="me", kinds=["flag"])


def test_a_demoted_detectors_hold_is_a_flag():
    DetectorSetting.objects.create(name="replay", demoted_at=timezone.now())
    assert raised(agents_experiment(), level="hold").level == "flag"


def test_evidence_needs_words_and_links_stay_in_the_lab():
    experiment = agents_experiment()
    with pytest.raises(InvalidInput, match="sentence"):
        raised(experiment, said=" ")
    for link in ("https://elsewhere/", "//elsewhere/"):
        with pytest.raises(InvalidInput, match="page of the lab"):
            raise_flag(
                detector="x", level="flag", subject=experiment, title="t", evidence=[{"text": "look", "link": link}]
            )


def test_descendants_of_held_code_are_tainted_and_cleared_when_it_is_clean():
    experiment = agents_experiment()
    user = experiment.submitter
    old, other = make_snapshot(user, "a"), make_snapshot(user, "unrelated")
    young = make_snapshot(user, "c", make_snapshot(user, "b", old))
    held = make_experiment(user=user, state="scored", snapshot=old)
    below, apart = make_experiment(state="scored", snapshot=young), make_experiment(state="scored", snapshot=other)
    flag = raised(held, level="hold")
    below.refresh_from_db(), apart.refresh_from_db()
    assert (below.tainted_by_id, apart.tainted_by_id) == (held.pk, None)
    for reviewer in (make_user("reviewer"), make_user("reviewer")):
        decide_flag(user=reviewer, flag_id=flag.pk, verdict="clean", reason="replayed by hand")
    below.refresh_from_db(), held.refresh_from_db()
    assert (below.tainted_by_id, held.standing) == (None, "counted")


def judged_with(descendants):
    """Code that so many descend from, each from the one before, is held: how often the database was asked."""
    experiment = agents_experiment()
    code = make_snapshot(experiment.submitter, f"root of {descendants}")
    held = make_experiment(user=experiment.submitter, state="scored", snapshot=code, campaign=experiment.campaign)
    below = []
    for number in range(descendants):
        code = make_snapshot(experiment.submitter, f"{number} of {descendants}", code)
        below.append(make_experiment(state="scored", snapshot=code, runs=False, campaign=number % 2 * 901))
    with CaptureQueriesContext(connection) as hold:
        flag = raised(held, level="hold")
    assert {Experiment.objects.get(pk=each.pk).tainted_by_id for each in below} == {held.pk}
    reviewers = [make_user("reviewer"), make_user("reviewer")]
    decide_flag(user=reviewers[0], flag_id=flag.pk, verdict="clean", reason="replayed by hand")
    with CaptureQueriesContext(connection) as cleared:
        decide_flag(user=reviewers[1], flag_id=flag.pk, verdict="clean", reason="replayed by hand")
    assert {Experiment.objects.get(pk=each.pk).tainted_by_id for each in below} == {None}
    # of experiments and events: reviewers, of whom there are more the second time, are told besides
    return [len([each for each in asked if "experiments_" in each["sql"]]) for asked in (hold, cleared)]


def test_a_verdict_asks_the_database_no_more_often_the_more_descends_from_the_code():
    assert judged_with(2) == judged_with(30)


def test_each_of_many_descendants_is_told_once_in_each_log_without_gaps():
    judged_with(5)
    lines = Event.objects.filter(kind="experiment.tainted")
    assert lines.filter(campaign=0).count() == 10  # tainted, cleared
    assert lines.filter(campaign=901).count() == 4  # every second one is of a campaign
    for campaign in (0, 901):
        numbers = Event.objects.filter(campaign=campaign).order_by("number").values_list("number", flat=True)
        assert list(numbers) == list(range(1, len(numbers) + 1))
    one = lines.filter(campaign=901).order_by("number").first()
    assert one.subject == f"experiment:{one.payload['experiment']}" and one.payload["tainted_by"]


def test_what_is_submitted_later_from_tainted_code_is_tainted_at_once():
    make_method("code", options_schema={"type": "object", "properties": {}, "additionalProperties": False})
    experiment = agents_experiment()
    old = make_snapshot(experiment.submitter, "a")
    held = make_experiment(state="scored", snapshot=old)
    raised(held, level="hold")
    young = make_snapshot(experiment.submitter, "b", old)
    made = submit_experiment(
        user=make_user(), benchmark=experiment.benchmark.slug, options={}, snapshot=young.pk, seeds=1
    )
    assert Experiment.objects.get(pk=made.pk).tainted_by_id == held.pk


def test_a_person_pins_a_note_to_the_exact_row_and_words():
    experiment = agents_experiment()
    run = experiment.runs.first()
    flag = flag_by_hand(
        user=make_user("reviewer"), subject=f"experiment:{experiment.pk}", note="This log is odd.", pin=f"run:{run.pk}",
        quote="l2 = 0.01",
    )  # fmt: skip
    assert flag.evidence == [
        {"text": "This log is odd.", "link": f"/experiments/{experiment.pk}/#run-{run.seed_index}",
         "pin": f"run:{run.pk}", "quote": "l2 = 0.01"}
    ]  # fmt: skip
    assert (flag.source, flag.detector) == ("person", "person")


@pytest.mark.parametrize(
    ("pin", "quote", "pointer"),
    [
        ("run:999999", "", "#/pin"),
        ("row:1", "", "#/pin"),
        ("file:method.py", "", "#/pin"),
        ("", "not there", "#/quote"),
    ],
)
def test_a_pin_to_what_is_not_there_is_refused(pin, quote, pointer):
    experiment = agents_experiment()
    with pytest.raises(InvalidInput) as caught:
        flag_by_hand(
            user=make_user("reviewer"), subject=f"experiment:{experiment.pk}", note="odd", pin=pin, quote=quote
        )
    assert caught.value.pointer == pointer


def test_only_reviewers_flag_by_hand():
    experiment = agents_experiment()
    for role in ("viewer", "researcher", "agent"):
        with pytest.raises(Forbidden):
            flag_by_hand(user=make_user(role), subject=f"experiment:{experiment.pk}", note="odd")


def test_a_claim_locks_for_five_minutes_and_is_ones_own_to_renew():
    flag = raised(agents_experiment())
    first, second = make_user("reviewer"), make_user("reviewer")
    claim_flag(user=first, flag_id=flag.pk)
    with pytest.raises(IllegalTransition, match=f"claimed by {first.username}"):
        claim_flag(user=second, flag_id=flag.pk)
    with pytest.raises(IllegalTransition, match="claimed by"):
        decide_flag(user=second, flag_id=flag.pk, verdict="clean", reason="mine")
    claim_flag(user=first, flag_id=flag.pk)
    Flag.objects.filter(pk=flag.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert claim_flag(user=second, flag_id=flag.pk).claimed_by == second
    assert Event.objects.filter(kind="flag.claimed", campaign=0).count() == 2  # a renewal is no news


def refused(statement: str, *parameters) -> None:
    expected = pytest.raises(IntegrityError, match="oversight keeps what was written")
    with expected, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def test_the_database_refuses_to_forget_or_to_change_what_was_written():
    flag = raised(agents_experiment())
    decide_flag(user=make_user("reviewer"), flag_id=flag.pk, verdict="clean", reason="looked")
    for table in ("flag", "vote", "decision"):
        refused(f"DELETE FROM oversight_{table}")
    refused("UPDATE oversight_flag SET title = 'nothing' WHERE id = %s", flag.pk)
    refused("UPDATE oversight_flag SET level = 'info'")
    refused("UPDATE oversight_vote SET verdict = 'disqualified'")
    refused("UPDATE oversight_decision SET reason = 'other'")
    assert (Flag.objects.count(), Vote.objects.count(), Decision.objects.count()) == (1, 1, 1)


def test_a_finding_that_cites_a_held_result_or_one_of_tainted_code_says_so():
    experiment = agents_experiment()
    user = experiment.submitter
    old = make_snapshot(user, "a")
    held = make_experiment(user=user, state="scored", snapshot=old)
    below = make_experiment(state="scored", snapshot=make_snapshot(user, "b", old))
    body = f"{{{{pgr exp:{held.pk}}}}} and {{{{pgr exp:{below.pk}}}}}"
    finding = post_finding(user=user, kind="result", title="It works", body=body, experiments=[held.pk, below.pk])
    page = thread(make_user("viewer"), finding.pk)
    assert "re-verify" not in page.shown.html
    raised(held, level="hold")
    page = thread(make_user("viewer"), finding.pk)
    assert "under review" in page.shown.html
    assert "tainted, re-verify" in page.shown.html
