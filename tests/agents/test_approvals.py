"""Approvals in the loop: parked, approved, refused, edited, expired, used once; races between people and loop."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from agents.lifecycle import ApprovalState
from agents.loop import run_step
from agents.models import Action, Agent, Approval, Entry, Latch, Policy
from agents.services import approvals, claims
from agents.services.admission import _first_code
from agents.services.approvals import approve, expire_due, refuse
from agents.services.control import pause_agent, resume_agent, stop_agent
from agents.services.policies import set_policy
from experiments.errors import Forbidden, IllegalTransition, InvalidInput, NotFound
from experiments.models import Experiment
from tests.agents.conftest import make_campaign, the_agent, thought
from tests.factories import make_experiment, make_method, make_user
from tests.oversight.conftest import make_snapshot

pytestmark = pytest.mark.django_db

ASK = [{"effect": "ask", "tool": "submit_experiment", "note": "it costs"}, {"effect": "allow"}]


@pytest.fixture
def campaign():
    make_method()
    return make_campaign(policy={"rules": ASK})


def submit(campaign, **more) -> tuple:
    slug = campaign.benchmarks.get().slug
    base = {"benchmark": slug, "method": "vanilla", "title": "T", "hypothesis": "H", "seeds": 2}
    return "submit_experiment", {**base, **more}


def step(campaign) -> Agent:
    run_step(agent_id=the_agent(campaign).pk, worker="w")
    return the_agent(campaign)


def ask(campaign, script, *others) -> Approval:
    """The agent wants to submit, and is parked."""
    script.append(thought("I submit", submit(campaign), *others))
    step(campaign)
    return Approval.objects.get()


def told(agent) -> str:
    return "\n".join(str(each.content) for each in Entry.objects.filter(agent=agent).order_by("number"))


def test_an_asked_call_is_parked_does_nothing_and_the_agent_waits(campaign, script):
    approval = ask(campaign, script)
    agent = the_agent(campaign)
    assert (approval.state, approval.rule, approval.why) == ("pending", 1, "it costs")
    assert approval.cost == {"gpu_seconds": 2}
    assert approval.action.state == "parked"
    assert (agent.state, agent.doing) == ("waiting", f"waiting for approval #{approval.pk}")
    assert not Experiment.objects.exists()
    assert "waits for a person" in told(agent)


def test_with_other_work_in_the_step_the_agent_goes_on(campaign, script):
    ask(campaign, script, ("list_methods", {}))
    assert the_agent(campaign).state == "ready"


def test_an_approved_call_runs_once_and_the_agent_reads_the_note_and_the_result(campaign, script):
    approval = ask(campaign, script)
    approve(user=make_user("reviewer", "rita"), approval_id=approval.pk, note="Small enough.")
    assert the_agent(campaign).state == "ready"
    script.append(thought("thanks", ("list_methods", {})))
    agent = step(campaign)
    approval.refresh_from_db()
    assert (approval.state, approval.action.state, Experiment.objects.count()) == ("used", "done", 1)
    assert "approved by rita. Note: Small enough." in told(agent)
    assert f"Experiment #{Experiment.objects.get().pk} is queued" in told(agent)
    script.append(thought("more", ("list_methods", {})))
    step(campaign)
    assert Experiment.objects.count() == 1


def test_a_refused_call_never_runs_and_says_why(campaign, script):
    approval = ask(campaign, script)
    with pytest.raises(InvalidInput, match="must not be empty"):
        refuse(user=make_user("reviewer"), approval_id=approval.pk, note=" ")
    refuse(user=make_user("reviewer", "rita"), approval_id=approval.pk, note="Try a cheaper one.")
    script.append(thought("ok", ("list_methods", {})))
    agent = step(campaign)
    assert "refused by rita. Note: Try a cheaper one." in told(agent)
    assert (Action.objects.get(pk=approval.action_id).state, Experiment.objects.count()) == ("cancelled", 0)


def test_edited_arguments_run_in_place_of_the_asked_ones_under_a_new_hash(campaign, script):
    approval = ask(campaign, script)
    edited = {**approval.arguments, "seeds": 1}
    changed = approve(user=make_user("reviewer"), approval_id=approval.pk, edited_arguments=edited, note="One seed.")
    assert changed.digest != approval.digest
    script.append(thought("ok", ("list_methods", {})))
    agent = step(campaign)
    assert Experiment.objects.get().seeds == 1
    assert "The arguments were changed to" in told(agent)
    assert Action.objects.get(pk=approval.action_id).arguments["seeds"] == 2  # what was asked stays written


def test_edited_arguments_that_the_tool_does_not_take_are_refused(campaign, script):
    approval = ask(campaign, script)
    with pytest.raises(InvalidInput) as caught:
        approve(user=make_user("reviewer"), approval_id=approval.pk, edited_arguments={"benchmark": "x"})
    assert caught.value.pointer == "#/edited_arguments"


def test_unanswered_it_stays_pending_then_expires_and_is_told_as_expired_never_as_denied(campaign, script):
    approval = ask(campaign, script)
    assert expire_due() == 0
    Approval.objects.filter(pk=approval.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(IllegalTransition, match="expired"):
        approve(user=make_user("reviewer"), approval_id=approval.pk)
    assert expire_due() == 1
    assert the_agent(campaign).state == "ready"
    script.append(thought("ok", ("list_methods", {})))
    text = told(step(campaign))
    assert "expired: nobody answered in time. That is no refusal" in text
    assert "denied" not in text


def test_a_denied_call_fails_at_once_with_the_rules_note(script):
    campaign = make_campaign(policy={"rules": [{"effect": "deny", "tool": "finish", "note": "go on"}, ASK[1]]})
    script.append(thought("bye", ("finish", {"summary": "done"})))
    agent = step(campaign)
    assert agent.state == "ready"
    assert "not allowed by rule 1 of the policy (version 1): go on" in told(agent)


def test_without_a_policy_the_agent_is_held(campaign, script):
    other = make_campaign()
    with pytest.raises(DatabaseError), transaction.atomic():
        Policy.objects.all().delete()
    script.append(thought("x", ("list_methods", {})))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.services.admission.current_policy", lambda campaign_id: None)
        agent = step(other)
    assert agent.state == "paused"
    assert Latch.objects.get(agent=agent, released_at=None).kind == "incident"
    assert Action.objects.get(step__agent=agent).state == "proposed"


def test_the_first_code_rule_asks_once_per_agent(campaign):
    class Coding:
        @staticmethod
        def runs_code(arguments):
            return True

    agent = the_agent(campaign)
    assert _first_code(agent, Coding, None)
    make_experiment(user=agent.user, snapshot=make_snapshot(agent.user, "x"))
    assert not _first_code(agent, Coding, None)


def test_a_changed_policy_voids_what_was_approved_under_the_one_before(campaign, script):
    approval = ask(campaign, script)
    reviewer = make_user("reviewer")
    approve(user=reviewer, approval_id=approval.pk)
    set_policy(user=reviewer, campaign_id=campaign.pk, rules=ASK, reason="tighter")
    script.append(thought("ok", ("list_methods", {})))
    agent = step(campaign)
    approval.refresh_from_db()
    assert (approval.state, Experiment.objects.count()) == ("expired", 0)
    assert "the policy changed after it was approved" in told(agent)


def test_changed_arguments_do_not_run_under_the_approval(campaign, script):
    approval = ask(campaign, script)
    approve(user=make_user("reviewer"), approval_id=approval.pk)
    Action.objects.filter(pk=approval.action_id).update(arguments={**approval.arguments, "seeds": 50})
    script.append(thought("ok", ("list_methods", {})))
    step(campaign)
    approval.refresh_from_db()
    assert (approval.state, Experiment.objects.count()) == ("expired", 0)


def test_the_database_keeps_what_was_asked_and_a_used_approval_stays_used(campaign, script):
    approval = ask(campaign, script)
    rows = Approval.objects.filter(pk=approval.pk)
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.update(arguments={})
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.delete()
    rows.update(state=ApprovalState.USED, used_at=timezone.now())
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.update(state=ApprovalState.APPROVED, used_at=None)


def test_a_double_click_is_harmless_and_the_other_answer_is_too_late(campaign, script):
    approval, reviewer = ask(campaign, script), make_user("reviewer")
    approve(user=reviewer, approval_id=approval.pk)
    approve(user=reviewer, approval_id=approval.pk)
    with pytest.raises(IllegalTransition):
        refuse(user=reviewer, approval_id=approval.pk, note="no")
    with pytest.raises(IllegalTransition):
        approve(user=reviewer, approval_id=approval.pk, edited_arguments={**approval.arguments, "seeds": 1})


def test_approving_while_stopping_is_refused_and_a_stop_cancels_what_was_approved(campaign, script):
    approval, reviewer = ask(campaign, script), make_user("reviewer")
    stop_agent(user=reviewer, agent_id=the_agent(campaign).pk, reason="enough")
    approval.refresh_from_db()
    assert (approval.state, approval.action.state) == ("cancelled", "cancelled")
    with pytest.raises(IllegalTransition):
        approve(user=reviewer, approval_id=approval.pk)
    assert not Experiment.objects.exists()


def test_an_approved_call_of_a_paused_agent_waits_for_the_resume(campaign, script):
    approval, reviewer = ask(campaign, script), make_user("reviewer")
    pause_agent(user=reviewer, agent_id=the_agent(campaign).pk, reason="wait")
    approve(user=reviewer, approval_id=approval.pk)
    assert step(campaign).state == "paused"
    assert not Experiment.objects.exists()
    resume_agent(user=reviewer, agent_id=the_agent(campaign).pk, reason="go")
    script.append(thought("ok", ("list_methods", {})))
    step(campaign)
    assert Experiment.objects.count() == 1


def test_a_worker_that_dies_in_the_approved_call_reports_it_and_never_repeats_it(campaign, script):
    approval = ask(campaign, script)
    approve(user=make_user("reviewer"), approval_id=approval.pk)
    agent = the_agent(campaign)
    claim = claims.claim(agent_id=agent.pk, worker="dies")
    assert approvals.use(claim, approval) is not None
    Agent.objects.filter(pk=agent.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    script.append(thought("ok", ("list_methods", {})))
    agent = step(campaign)
    assert "interrupted: the worker died" in told(agent)
    assert not Experiment.objects.exists()


@pytest.mark.parametrize(("role", "error"), [("viewer", Forbidden), ("researcher", Forbidden), ("agent", NotFound)])
def test_only_reviewers_answer(campaign, script, role, error):
    approval = ask(campaign, script)
    person = make_user(role)
    with pytest.raises(error):
        approve(user=person, approval_id=approval.pk)
    with pytest.raises(NotFound):
        approve(user=the_agent(campaign).user, approval_id=approval.pk)


@pytest.mark.django_db(transaction=True)
def test_two_people_at_the_same_instant_are_one_answer(campaign, script):
    approval = ask(campaign, script)
    people, start, came = [make_user("reviewer"), make_user("reviewer")], Barrier(2), []

    def answer(person, verb, **given):
        start.wait(30)
        try:
            came.append(verb(user=person, approval_id=approval.pk, **given).state)
        except IllegalTransition:
            came.append("late")
        finally:
            connection.close()

    threads = [
        Thread(target=answer, args=(people[0], approve)),
        Thread(target=answer, args=(people[1], refuse), kwargs={"note": "no"}),
    ]
    [each.start() for each in threads], [each.join(60) for each in threads]
    approval.refresh_from_db()
    assert sorted(came) == sorted(["late", approval.state])
