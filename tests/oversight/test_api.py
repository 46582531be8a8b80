"""Flags by REST: who may what, errors, repeated calls, and how little an agent learns."""

import pytest

from oversight.models import Flag
from tests.api.conftest import caller, problem  # noqa: F401 - a fixture
from tests.oversight.conftest import agents_experiment, raised

pytestmark = pytest.mark.django_db


def test_a_reviewer_flags_claims_decides_and_reopens(caller):  # noqa: F811
    reviewer, experiment = caller("reviewer"), agents_experiment()
    made = reviewer.send(f"experiments/{experiment.pk}/flags/", {"note": "Look at this log."}, key="k1")
    assert made.status_code == 201
    flag = made.json()
    assert (flag["source"], flag["level"], flag["state"]) == ("person", "flag", "open")
    again = reviewer.send(f"experiments/{experiment.pk}/flags/", {"note": "Look at this log."}, key="k1")
    assert (again.json()["id"], again["Idempotent-Replayed"]) == (flag["id"], "true")
    path = f"flags/{flag['id']}/"
    claimed = reviewer.send(f"{path}claim/").json()
    assert (claimed["state"], claimed["claimed_by"]) == ("claimed", reviewer.user.username)
    problem(caller("reviewer").send(f"{path}claim/"), 409, "illegal-transition")
    decided = reviewer.send(f"{path}decide/", {"verdict": "disqualified", "reason": "It reads labels."}).json()
    assert (decided["state"], decided["verdict"], decided["votes_cast"]) == ("decided", "disqualified", 1)
    reopened = reviewer.send(f"{path}reopen/", {"reason": "The log was another's."}).json()
    assert (reopened["state"], reopened["verdict"], len(reopened["decisions"])) == ("open", None, 2)


def test_the_list_filters_by_state_and_level(caller):  # noqa: F811
    reviewer, experiment = caller("reviewer"), agents_experiment()
    hold, info = raised(experiment, level="hold"), raised(experiment, level="info", said="n")
    reviewer.send(f"flags/{hold.pk}/claim/")
    assert [each["id"] for each in reviewer.get("flags/?state=claimed").json()["results"]] == [hold.pk]
    assert [each["id"] for each in reviewer.get("flags/?state=open").json()["results"]] == [info.pk]
    assert [each["id"] for each in reviewer.get("flags/?level=info").json()["results"]] == [info.pk]
    problem(reviewer.get("flags/?state=closed"), 400, "invalid")


def test_an_agent_learns_id_level_and_state_of_flags_on_its_own_experiments_only(caller):  # noqa: F811
    experiment = agents_experiment()
    flag = raised(experiment, level="flag")
    own, other = caller("agent"), caller("agent")
    type(experiment).objects.filter(pk=experiment.pk).update(submitter=own.user)
    told = own.get(f"experiments/{experiment.pk}/").json()
    assert told["flags"] == [{"id": flag.pk, "level": "flag", "state": "open"}]
    assert other.get(f"experiments/{experiment.pk}/").json()["flags"] == []
    assert flag.title not in str(told)
    for path in (f"flags/{flag.pk}/", f"flags/{flag.pk}/claim/"):
        answer = own.get(path) if path.endswith(f"{flag.pk}/") else own.send(path)
        problem(answer, 404, "not-found")
    problem(own.get("flags/"), 403, "forbidden")


@pytest.mark.parametrize("role", ["viewer", "researcher"])
def test_people_who_do_not_review_may_read_a_flag_and_nothing_else(caller, role):  # noqa: F811
    person, experiment = caller(role), agents_experiment()
    flag = raised(experiment)
    assert person.get(f"flags/{flag.pk}/").status_code == 200
    problem(person.get("flags/"), 403, "forbidden")
    problem(person.send(f"experiments/{experiment.pk}/flags/", {"note": "x"}), 403, "forbidden")
    problem(person.send(f"flags/{flag.pk}/claim/"), 403, "forbidden")
    problem(person.send(f"flags/{flag.pk}/decide/", {"verdict": "clean", "reason": "x"}), 403, "forbidden")
    problem(person.send(f"flags/{flag.pk}/reopen/", {"reason": "x"}), 403, "forbidden")


def test_wrong_input_names_the_field_and_what_is_allowed(caller):  # noqa: F811
    reviewer, experiment = caller("reviewer"), agents_experiment()
    flag = raised(experiment)
    for body, pointer in (
        ({"verdict": "guilty", "reason": "x"}, "#/verdict"),
        ({"verdict": "clean", "reason": ""}, "#/reason"),
        ({"verdict": "clean", "reason": "x", "mood": 1}, "#/mood"),
    ):
        answer = problem(reviewer.send(f"flags/{flag.pk}/decide/", body), 400, "invalid")
        assert answer["errors"][0]["pointer"] == pointer
    answer = problem(reviewer.send("flags/", {"subject": "planet:1", "note": "x"}), 400, "invalid")
    assert "experiment:NUMBER" in answer["errors"][0]["detail"]
    problem(reviewer.send("flags/", {"subject": "agent:999999", "note": "x"}), 404, "not-found")
    problem(reviewer.send("flags/999999/claim/"), 404, "not-found")
    assert Flag.objects.count() == 1


def test_an_agent_and_a_finding_can_be_flagged_too(caller):  # noqa: F811
    agent = agents_experiment().submitter.agent
    made = caller("reviewer").send("flags/", {"subject": f"agent:{agent.pk}", "note": "It polls.", "level": "hold"})
    assert (made.status_code, made.json()["agent"]) == (201, agent.pk)
    agent.refresh_from_db()
    assert agent.state == "paused"
