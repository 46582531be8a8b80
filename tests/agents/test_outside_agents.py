"""tests docs/outside-agents.md: every program in it, run as it stands against the lab's web process."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from agents.lifecycle import AgentState, CampaignState
from agents.models import Action, Budget, Latch, Notebook
from agents.services.campaigns import AgentPlan
from agents.services.control import message_agent, pause_agent, resume_agent
from agents.services.reaper import reap
from agents.services.tokens import token_for
from experiments.lifecycle import ExperimentState, RunState
from experiments.models import Event, Experiment, Run
from experiments.services.uploads import submit_predictions
from forum.models import Finding
from tests.agents.conftest import make_campaign, the_agent
from tests.agents.processes import LabServer
from tests.factories import make_benchmark, make_method, make_user, stored_score

PAGE = Path(__file__).resolve().parents[2] / "docs" / "outside-agents.md"
RECIPES = ("confidence-filter", "logconf", "self-distillation")


def block(name):
    """The program of that name in the document."""
    (found,) = re.findall(rf"```\w+ {name}\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    return found


def outsider(budgets=None):
    for recipe in RECIPES:
        make_method(recipe)
    plans = [AgentPlan(researcher="outside", direction="simplicity", name="simplicity-1")]
    campaign = make_campaign(agents=plans, budgets=budgets or {}, benchmark=make_benchmark("geography"))
    agent = the_agent(campaign)
    return agent, token_for(agent.user)[1]


class Scorer(threading.Thread):
    """Plays workers and scorer: what is queued is scored a moment later."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over = threading.Event()

    def run(self):
        try:
            while not self.over.wait(0.2):
                for each in Experiment.objects.filter(state=ExperimentState.QUEUED):
                    now = timezone.now()
                    Run.objects.filter(experiment=each).update(state=RunState.SCORED, dev_pgr=0.4, finished_at=now)
                    Experiment.objects.filter(pk=each.pk).update(
                        state=ExperimentState.SCORED, dev_pgr=0.4, dev_accuracy=0.68, dev_score=stored_score(0.4),
                        started_at=now, finished_at=now,
                    )  # fmt: skip
        finally:
            connection.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


@pytest.fixture(scope="module")
def lab(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), LabServer() as server:
        yield server


def started(command, lab, token, name=""):
    environment = {"PATH": os.environ["PATH"], "LAB": lab.url, "TOKEN": token, "NAME": name}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def said(process):
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    return text


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_python_agent_of_the_document_does_research_and_waits_while_it_is_held(lab):
    code = block("agent")
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    agent, token = outsider()
    reviewer = make_user("reviewer")
    with Scorer():
        pause_agent(user=reviewer, agent_id=agent.pk, reason="not yet")
        process = started([sys.executable, "-u", "-c", code], lab, token)
        line = process.stdout.readline()
        assert line.startswith("held: reviewer since 2")
        assert Latch.objects.get().confirmed_at is not None
        assert not Experiment.objects.exists()
        resume_agent(user=reviewer, agent_id=agent.pk, reason="go")
        said(process)
    assert list(Experiment.objects.order_by("id").values_list("method__name", flat=True)) == list(RECIPES)
    assert {each.author_id for each in Finding.objects.all()} == {agent.user_id}
    assert Finding.objects.count() == 3
    assert "{{pgr exp:" in Finding.objects.first().body
    reports = Event.objects.filter(campaign=agent.campaign_id, kind="report.message")
    assert [each.payload["self_reported"] for each in reports] == [True] * 3
    agent.refresh_from_db()
    assert agent.state == AgentState.FINISHED
    reap()
    agent.campaign.refresh_from_db()
    assert agent.campaign.state == CampaignState.FINISHED


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_curl_session_of_the_document_works_line_by_line(lab):
    agent, token = outsider()
    text = said(started(["bash", "-euo", "pipefail", "-c", block("curl")], lab, token, agent.user.username))
    assert Experiment.objects.get().submitter_id == agent.user_id
    assert Finding.objects.get().kind == "hypothesis"
    assert Notebook.objects.get().body == "# What I tried"
    assert '"state":"finished"' in text
    agent.refresh_from_db()
    assert agent.state == AgentState.FINISHED


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_mcp_client_of_the_document_connects(lab):
    agent, token = outsider()
    text = said(started([sys.executable, "-c", block("mcp")], lab, token))
    assert "'submit_experiment'" in text
    assert f"You are {agent.name}" in text
    assert Action.objects.get().tool == "news"


@pytest.fixture
def agent_and_api(roles):
    agent, token = outsider()
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return agent, api


@pytest.mark.django_db
def test_news_by_rest_tell_messages_once_and_refuse_a_wrong_place(agent_and_api):
    agent, api = agent_and_api
    first = api.get("/api/v1/me/news/").json()
    assert (first["text"], first["messages"]) == ("", [])
    message_agent(user=make_user("reviewer"), agent_id=agent.pk, text="look at the holdout interval")
    second = api.get("/api/v1/me/news/", {"since": first["since"]}).json()
    assert "look at the holdout interval" in second["messages"][0]["text"]
    assert api.get("/api/v1/me/news/", {"since": second["since"]}).json()["messages"] == []
    for wrong in ("x", "1-2", "1-2-x", "1-2-99999999999", "9" * 30 + "-1-1"):
        answer = api.get("/api/v1/me/news/", {"since": wrong})
        assert answer.status_code == 400, wrong
        assert answer.json()["errors"][0]["parameter"] == "since"


@pytest.mark.django_db
def test_people_have_no_news_and_nothing_to_finish(roles):
    api = APIClient()
    api.force_authenticate(make_user("researcher"))
    assert api.get("/api/v1/me/news/").status_code == 404
    assert api.post("/api/v1/me/finish/", {"summary": "x"}, format="json").status_code == 404


@pytest.mark.django_db
def test_finishing_is_for_good_and_only_for_outside_agents(agent_and_api):
    _, api = agent_and_api
    assert api.post("/api/v1/me/finish/", {}, format="json").status_code == 400
    assert api.post("/api/v1/me/finish/", {"summary": "done"}, format="json").json()["state"] == "finished"
    again = api.post("/api/v1/me/finish/", {"summary": "done"}, format="json")
    assert (again.status_code, again.json()["latch"]) == (423, "finished")
    driven = the_agent(make_campaign())
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token_for(driven.user)[1]}")
    refused = api.post("/api/v1/me/finish/", {"summary": "done"}, format="json")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/refused")


@pytest.mark.django_db
def test_a_frozen_campaign_says_since_when(agent_and_api):
    from agents.services.campaigns import freeze_campaign

    agent, api = agent_and_api
    before = timezone.now()
    freeze_campaign(user=make_user("reviewer"), campaign_id=agent.campaign_id, reason="odd")
    told = api.put("/api/v1/me/notebook/", {"body": "x"}, format="json")
    assert told.status_code == 423
    assert told.json()["latch"] == "frozen"
    assert before.isoformat() <= told.json()["since"] <= timezone.now().isoformat()


@pytest.mark.django_db
def test_uploaded_vectors_count_against_the_agents_budget_of_evaluations(roles):
    from experiments.errors import OverBudget
    from experiments.models import Upload

    agent, _ = outsider(budgets={"evaluations": 2})
    predictions = [0, 1] * 250
    for _ in range(2):
        submit_predictions(user=agent.user, benchmark="geography", predictions=predictions)
    with pytest.raises(OverBudget, match="the evaluations budget of the campaign has 0 left of 2"):
        submit_predictions(user=agent.user, benchmark="geography", predictions=predictions)
    assert Upload.objects.count() == 2
    budget = Budget.objects.get(kind="evaluations")
    assert (budget.spent, budget.reserved) == (2, 0)
    submit_predictions(user=make_user("researcher"), benchmark="geography", predictions=predictions)
