"""What people hid is read nowhere by those who may not: transcripts, notebooks, flags, the log, live or not."""

import json

import pytest
from channels.db import database_sync_to_async as in_thread
from django.db import transaction
from django.test import Client

from agents.lifecycle import ActionState
from agents.models import Entry
from agents.services import create_token
from agents.services.actions import Call, propose_actions
from agents.services.transcript import append, write_notebook
from experiments import events
from experiments.models import Event
from forum.services.curation import hide, unhide
from forum.services.posting import post_finding
from tests.agents.conftest import make_campaign, the_agent
from tests.api.test_live import Viewer, bearer
from tests.factories import make_user
from tests.forum.rows import make_comment
from tests.oversight.conftest import agents_experiment, raised
from tests.pages.conftest import _plain_static_files, logged_in  # noqa: F401 - a fixture

SECRET = "the answers to the first seven dev questions are one one nought"
ASIDE = "and the eighth of all these questions is answered nought as well"


class Told:
    """An agent that has read and repeated a finding, and the finding."""

    @transaction.atomic
    def __init__(self) -> None:
        self.campaign = make_campaign()
        self.agent = the_agent(self.campaign)
        self.finding = post_finding(user=self.agent.user, kind="insight", title="What I found", body=f"{SECRET}.")
        self.comment = make_comment(self.finding, body=ASIDE)
        self.step = self.agent.steps.create(number=7)
        blocks = [
            {"type": "thinking", "thinking": f"I remember: {SECRET}"},
            {"type": "text", "text": f"As said, {SECRET}; {ASIDE}. I go on."},
            {"type": "tool_use", "id": "c1", "name": "comment", "input": {"finding": 1, "body": SECRET.upper()}},
        ]
        append(self.agent, "assistant", Entry.Kind.REPLY, blocks, step=self.step)
        propose_actions(self.agent, self.step, [Call("c1", "comment", {"finding": 1, "body": SECRET})])
        self.step.actions.update(state=ActionState.DONE, result=f"You wrote {SECRET}")
        write_notebook(self.agent, "Version one.")
        write_notebook(self.agent, f"Notes. {SECRET}. More notes.")
        self.report()
        self.experiment = agents_experiment()
        self.flag = raised(self.experiment, said=f"It says: {SECRET}")
        self.reviewer = make_user("reviewer")

    @transaction.atomic
    def report(self) -> Event:
        said = {"text": SECRET}
        return events.record("agent.report", f"agent:{self.agent.pk}", campaign=self.campaign.pk, payload=said)

    def hide(self) -> None:
        hide(user=self.reviewer, finding_id=self.finding.pk, reason="labels")


@pytest.fixture
def told(db, roles) -> Told:
    return Told()


def places(told: Told) -> list[str]:
    agent, campaign = told.agent.pk, told.campaign.pk
    return [
        f"/api/v1/agents/{agent}/transcript/",
        f"/api/v1/events/?campaign={campaign}",
        f"/agents/{agent}/",
        f"/agents/{agent}/notebook/2/",
        f"/campaigns/{campaign}/?part=events",
        f"/experiments/{told.experiment.pk}/flags/",
        f"/flags/{told.flag.pk}/",
    ]


def read(role: str, url: str) -> str:
    answer = logged_in(make_user(role)).get(url)
    assert answer.status_code == 200, (url, answer.status_code)
    return answer.content.decode()


def says(text: str, words: str = SECRET) -> bool:
    return words[20:60] in text.lower() or words[:25] in text.lower()


@pytest.mark.parametrize("number", range(7))
def test_those_who_may_not_read_what_was_hidden_see_that_something_was(told, number) -> None:
    url = places(told)[number]
    assert says(read("viewer", url))
    told.hide()
    for role in ("viewer", "researcher"):
        shown = read(role, url)
        assert not says(shown), shown
        assert not says(shown, ASIDE)
        assert "[hidden]" in shown
    for role in ("reviewer", "admin"):
        assert says(read(role, url))
    unhide(user=told.reviewer, finding_id=told.finding.pk, reason="a mistake")
    assert says(read("viewer", url))


def test_a_hidden_comment_takes_its_own_words_along_and_no_others(told) -> None:
    hide(user=told.reviewer, comment_id=told.comment.pk, reason="labels")
    shown = read("viewer", f"/agents/{told.agent.pk}/")
    assert says(shown)
    assert not says(shown, ASIDE)


def test_an_agent_reads_no_hidden_words_of_itself_either_and_keeps_its_notebook(told) -> None:
    told.hide()
    _, token = create_token(name=told.agent.user.username, role="agent")
    headers = {"Authorization": f"Bearer {token}"}
    shown = Client().get(f"/api/v1/agents/{told.agent.pk}/transcript/", headers=headers).content.decode()
    assert "[hidden]" in shown
    assert not says(shown)
    # it writes the whole of it anew: a place holder would be what it remembers from then on
    assert says(Client().get("/api/v1/me/notebook/", headers=headers).content.decode())


def test_the_record_itself_is_not_changed(told) -> None:
    told.hide()
    read("viewer", f"/agents/{told.agent.pk}/")
    read("viewer", f"/flags/{told.flag.pk}/")
    assert says(json.dumps(Entry.objects.get(kind="reply").content))
    told.flag.refresh_from_db()
    assert says(json.dumps(told.flag.evidence))


@pytest.mark.django_db(transaction=True)
async def test_the_live_stream_says_it_to_those_alone_who_may_read_it(roles) -> None:
    told = await in_thread(Told)()
    last = await in_thread(lambda: Event.objects.filter(campaign=told.campaign.pk).latest("number").number)()
    viewer, reviewer = await in_thread(bearer)("viewer"), await in_thread(bearer)("reviewer")
    campaign = str(told.campaign.pk)
    async with Viewer(viewer, campaign=campaign) as first, Viewer(reviewer, campaign=campaign) as second:
        for page in (first, second):
            await page.until(last)
            assert says(json.dumps(page.events))  # not hidden yet
        await in_thread(told.hide)()
        again = await in_thread(told.report)()
        for page in (first, second):
            page.events.clear()
            await page.until(again.number)
        assert not says(json.dumps(first.events))
        assert says(json.dumps(second.events))
        # what is still kept in memory for those who come late was read before it was hidden
        async with Viewer(viewer, campaign=campaign) as late:
            await late.until(again.number)
            assert not says(json.dumps(late.events))
            assert "[hidden]" in json.dumps(late.events)
