"""The REST API's writes are ruled by the campaign's policy; one that nobody has mapped is closed to agents."""

import pytest
from django.test import Client
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.loop import run_step
from agents.rest_calls import CALLS
from agents.services.policies import set_policy
from agents.services.tokens import token_for
from agents.tools import TOOLS
from experiments.api import evaluations
from experiments.errors import Refused, ScorerUnavailable
from experiments.models import Event, Experiment
from experiments.services.experiments import submit_experiment
from experiments.snapshots.models import Snapshot
from forum.models import Finding
from oversight.models import Refusal
from tests.access.matrix import doors
from tests.agents.conftest import make_campaign, the_agent, thought
from tests.agents.rest_writes import WRITES, make_outsider
from tests.agents.toolbox import use
from tests.factories import make_method, make_user

pytestmark = pytest.mark.django_db
by_route = pytest.mark.parametrize("write", WRITES, ids=lambda write: write.route)


@pytest.fixture(autouse=True)
def _no_scorer(monkeypatch):
    def nobody(upload, **_):
        raise ScorerUnavailable("nobody scores here", upload=upload)

    monkeypatch.setattr(evaluations, "await_evaluation", nobody)


def send(write, rules):
    outsider = make_outsider(policy={"rules": rules})
    return outsider.send(Client(raise_request_exception=False), write)


def writing_doors():
    """Every method of every address of the API that may change something."""
    return [
        (door.method, door.route.name or "")
        for door in doors()
        if door.method != "GET" and door.path.startswith("api/v1/") and hasattr(door.route.callback, "cls")
    ]


def test_the_map_names_addresses_that_exist_and_these_tests_try_each_of_them():
    assert set(CALLS) <= set(writing_doors())
    assert {(write.method.upper(), write.route): write.tool for write in WRITES} == CALLS


def test_every_other_write_of_the_api_is_closed_to_agents_by_its_door():
    """A new endpoint is closed until somebody says in agents/rest_calls.py what a policy calls it."""
    outsider, client, tried = make_outsider(), Client(raise_request_exception=False), 0
    for door in doors():
        if door.method == "GET" or not door.path.startswith("api/v1/") or (door.method, door.route.name) in CALLS:
            continue
        address = "/" + door.path
        for key in door.route.pattern.converters:
            tag = next(part for part in (each.partition(">")[0] for each in address.split("<")[1:]) if key in part)
            address = address.replace(f"<{tag}>", "1" if "int:" in tag else "x")
        answer = getattr(client, door.method.lower())(
            address, {}, content_type="application/json", headers={"Authorization": f"Bearer {outsider.token}"}
        )
        assert answer.status_code == 403, door.label
        assert "is not for agents" in answer.json()["detail"], door.label
        tried += 1
    assert tried > 20


@by_route
def test_a_denied_write_is_refused_with_the_rule_s_reason_and_leaves_nothing(write):
    answer = send(write, [{"effect": "deny", "tool": write.tool, "note": "not this week"}, {"effect": "allow"}])
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/refused")
    assert "not allowed by rule 1 of the policy (version 1): not this week" in answer.json()["detail"]
    assert not write.left().exists()


@by_route
def test_a_write_that_people_are_to_be_asked_about_is_refused_and_says_what_to_do(write):
    answer = send(write, [{"effect": "ask", "tool": write.tool}, {"effect": "allow"}])
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/refused")
    said = answer.json()["detail"]
    assert f"the campaign's policy asks a person about {write.tool} first" in said
    assert ("call it by MCP" in said) == (write.tool in TOOLS.names())
    assert not write.left().exists()


@by_route
def test_what_no_rule_fits_is_not_let_through(write):
    assert send(write, [{"effect": "allow", "tool": "no-such-tool"}]).status_code == 422
    assert not write.left().exists()


@by_route
def test_an_allowed_write_is_made(write):
    answer = send(write, [{"effect": "allow", "tool": write.tool}])
    assert answer.status_code in (200, 201, 202, 503), answer.content  # 503: the upload is kept, no scorer is there
    assert write.left().exists()


@pytest.mark.parametrize(
    ("route", "patterns"),
    [
        ("api_experiments", {"seeds": "2"}),
        ("api_experiments", {"options.rounds": "3"}),
        ("api_findings", {"body": "Text*"}),
        ("api_finding_comments", {"body": "A comment."}),
        ("api_finding_vote", {"value": "1"}),
        ("api_notebook", {"body": "Notes*"}),
        ("api_snapshots", {"files": "*return 7*"}),
        ("api_evaluations", {"benchmark": "geography"}),
        ("api_events", {"kind": "message"}),
    ],
)
def test_rules_see_what_is_written_as_they_see_it_of_the_tool(route, patterns):
    (write,) = [each for each in WRITES if each.route == route]
    answer = send(write, [{"effect": "deny", "tool": write.tool, "arguments": patterns}, {"effect": "allow"}])
    assert answer.status_code == 422
    assert not write.left().exists()


def test_rules_about_cost_and_first_code_hold_by_rest():
    rules = [
        {"effect": "deny", "cost_above": {"gpu_seconds": 1}, "note": "dear"},
        {"effect": "deny", "cost_above": {"evaluations": 0}, "note": "no uploads"},
        {"effect": "deny", "first_code": True, "note": "show it first"},
        {"effect": "allow"},
    ]
    outsider, client = make_outsider(policy={"rules": rules}), Client()
    make_method("code")
    by_name = {write.route: write for write in WRITES}
    assert "dear" in outsider.send(client, by_name["api_experiments"]).json()["detail"]
    assert "no uploads" in outsider.send(client, by_name["api_evaluations"]).json()["detail"]
    number = outsider.send(client, by_name["api_snapshots"]).json()["id"]
    code = {"benchmark": "geography", "method": {"snapshot": number}, "seeds": 1}
    answer = outsider.send(client, by_name["api_experiments"]._replace(body=code))
    assert "show it first" in answer.json()["detail"]


def test_a_token_of_an_agent_that_the_lab_drives_is_no_way_around_its_policy(roles):
    make_method("logconf")
    rules = [{"effect": "ask", "tool": "submit_experiment"}, {"effect": "deny", "tool": "post_finding"}]
    agent = the_agent(make_campaign(policy={"rules": [*rules, {"effect": "allow"}]}))
    headers = {"Authorization": f"Bearer {token_for(agent.user)[1]}"}
    body = {"kind": "insight", "title": "T", "body": "B"}
    answer = Client().post("/api/v1/findings/", body, content_type="application/json", headers=headers)
    assert answer.status_code == 422
    assert not Finding.objects.exists()
    with pytest.raises(Refused):
        submit_experiment(user=agent.user, benchmark="bench-0", method="logconf", options={}, seeds=1)


def test_what_the_policy_has_let_through_in_the_loop_is_not_ruled_on_a_second_time(script):
    """The workspace's code becomes a snapshot by a call of submit_experiment; nobody calls create_snapshot."""
    make_method("code")
    rules = [{"effect": "deny", "tool": "create_snapshot"}, {"effect": "allow"}]
    campaign = make_campaign(policy={"rules": rules})
    agent = the_agent(campaign)
    use(agent, "write_file", path="method.py", content="def fit(context):\n    return 1\n")
    given = {"benchmark": campaign.benchmarks.get().slug, "workspace": True, "title": "T", "hypothesis": "H"}
    script.append(thought("mine", ("submit_experiment", given)))
    run_step(agent_id=agent.pk, worker="w")
    assert Snapshot.objects.count() == 1
    assert Experiment.objects.get().snapshot_id == Snapshot.objects.get().pk


def test_people_and_accounts_without_a_campaign_are_ruled_by_no_policy(roles):
    outsider = make_outsider(policy={"rules": [{"effect": "deny"}]})
    person = make_user("researcher")
    _, token = token_for(person)
    write = next(each for each in WRITES if each.route == "api_findings")
    assert outsider._replace(token=token).send(Client(), write).status_code == 201
    assert Event.objects.filter(kind="finding.posted").exists()


def test_a_new_endpoint_that_nobody_mapped_is_closed(settings, roles):
    class Fresh(APIView):
        def post(self, request):
            return Response({"done": True})

    urls = type("urls", (), {"urlpatterns": [path("api/v1/fresh/", Fresh.as_view(), name="api_fresh")]})
    settings.ROOT_URLCONF = urls
    outsider = make_outsider()
    headers = {"Authorization": f"Bearer {outsider.token}"}
    answer = Client().post("/api/v1/fresh/", {}, content_type="application/json", headers=headers)
    assert answer.status_code == 403
    set_policy(user=make_user("admin"), campaign_id=outsider.agent.campaign_id, rules=[{"effect": "allow"}], reason="x")
    assert Client().post("/api/v1/fresh/", {}, content_type="application/json", headers=headers).status_code == 403


def test_a_call_that_is_refused_while_the_token_is_looked_at_is_written_down(roles):
    outsider, client = make_outsider(), Client()
    _, reading = token_for(outsider.agent.user, scopes=["read"])
    write = next(each for each in WRITES if each.route == "api_findings")
    assert outsider._replace(token=reading).send(client, write).status_code == 403
    pin = write._replace(path="findings/{finding}/pin/")
    assert outsider.send(client, pin).status_code == 403
    rows = Refusal.objects.order_by("id").values_list("what", "account", "path")
    finding = outsider.rows["finding"]
    assert list(rows) == [
        ("forbidden", outsider.agent.user_id, "/api/v1/findings/"),
        ("forbidden", outsider.agent.user_id, f"/api/v1/findings/{finding}/pin/"),
    ]
