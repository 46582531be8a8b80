"""Whatever holds, ends, hides or judges needs a reason that a person can read: the same rule at every door."""

from collections.abc import Callable

import pytest

from agents.services.approvals import refuse
from agents.services.campaigns import freeze_campaign, stop_campaign, thaw_campaign
from agents.services.control import pause_agent, resume_agent, stop_agent
from agents.services.policies import set_policy
from experiments.errors import InvalidInput
from experiments.texts import LONGEST_REASON, check_reason
from forum.services.curation import hide, unhide
from oversight.models import AuditEntry
from oversight.services.decisions import decide_flag, reopen_flag
from oversight.services.detectors import set_detector
from oversight.services.flags import flag_by_hand
from tests.factories import make_user
from tests.forum.rows import make_finding
from tests.oversight.conftest import agents_experiment, raised
from tests.oversight.test_pages import asked

pytestmark = pytest.mark.django_db


def doors() -> dict[str, Callable[[str], object]]:
    experiment = agents_experiment()
    agent = experiment.submitter.agent
    campaign, rita, finding = agent.campaign_id, make_user("reviewer"), make_finding()
    flag, approval, admin = raised(experiment), asked(), make_user("admin")
    return {
        "pause": lambda why: pause_agent(user=rita, agent_id=agent.pk, reason=why),
        "resume": lambda why: resume_agent(user=rita, agent_id=agent.pk, reason=why),
        "stop": lambda why: stop_agent(user=rita, agent_id=agent.pk, reason=why),
        "freeze": lambda why: freeze_campaign(user=rita, campaign_id=campaign, reason=why),
        "stop campaign": lambda why: stop_campaign(user=rita, campaign_id=campaign, reason=why),
        "policy": lambda why: set_policy(user=rita, campaign_id=campaign, rules=[{"effect": "ask"}], reason=why),
        "refuse": lambda why: refuse(user=rita, approval_id=approval.pk, note=why),
        "hide": lambda why: hide(user=rita, finding_id=finding.pk, reason=why),
        "show": lambda why: unhide(user=rita, finding_id=finding.pk, reason=why),
        "flag": lambda why: flag_by_hand(user=rita, subject=f"experiment:{experiment.pk}", note=why),
        "decide": lambda why: decide_flag(user=rita, flag_id=flag.pk, verdict="clean", reason=why),
        "detector": lambda why: set_detector(user=admin, name="replay", enabled=False, reason=why),
    }


@pytest.mark.parametrize("why", [" ", "\u200b", "a\x00b", "shown\u202eneddih", "x" * (LONGEST_REASON + 1)])
def test_no_door_takes_what_is_no_reason(why):
    for name, door in doors().items():
        with pytest.raises(InvalidInput) as refused:
            door(why)
        assert refused.value.pointer in ("#/reason", "#/note"), name


def test_every_door_takes_the_longest_reason_and_trims_it():
    for door in doors().values():
        door(f"  {'ä' * LONGEST_REASON}\r\n")


def test_a_decided_flag_is_reopened_for_a_reason_only():
    flag = raised(agents_experiment())
    rita = make_user("reviewer")
    decide_flag(user=rita, flag_id=flag.pk, verdict="clean", reason="looked")
    with pytest.raises(InvalidInput, match="must not be empty"):
        reopen_flag(user=rita, flag_id=flag.pk, reason="")
    reopen_flag(user=rita, flag_id=flag.pk, reason="looked again")


def test_a_thaw_may_do_without_but_not_with_what_is_no_reason():
    campaign, rita = agents_experiment().submitter.agent.campaign_id, make_user("reviewer")
    freeze_campaign(user=rita, campaign_id=campaign, reason="odd")
    with pytest.raises(InvalidInput, match=r"U\+0000"):
        thaw_campaign(user=rita, campaign_id=campaign, reason="a\x00b")
    assert thaw_campaign(user=rita, campaign_id=campaign, reason=" ").reason == ""


@pytest.mark.django_db(transaction=True)
def test_the_trail_keeps_the_reason_as_it_was_checked():
    agent = agents_experiment().submitter.agent
    pause_agent(user=make_user("reviewer"), agent_id=agent.pk, reason=" look \r\n here ")
    assert "look \n here" in AuditEntry.objects.values_list("reason", flat=True)


def test_lines_and_tabs_stay():
    assert check_reason(" a\r\n\tb ") == "a\n\tb"
