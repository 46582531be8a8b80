"""tests agents/tools/{submit_experiment,read_snapshot}.py: from the workspace to an experiment, and anyone's code."""

import pytest

from agents.lifecycle import ActionState, AgentState
from agents.loop import run_step
from agents.models import Action, Approval, Entry
from agents.services.approvals import approve
from agents.services.policies import set_policy
from agents.tools import BadArguments
from agents.workspaces import workspace_of
from experiments.models import Experiment
from experiments.snapshots.models import Snapshot
from experiments.snapshots.services import create_snapshot
from tests.agents.conftest import make_campaign, the_agent, thought
from tests.agents.toolbox import refused, use
from tests.factories import make_benchmark, make_method, make_user

pytestmark = pytest.mark.django_db
NO_OPTIONS = {"type": "object", "properties": {}, "additionalProperties": False}
ASKED = {"benchmark": "geography", "title": "t", "hypothesis": "h", "seeds": 2}
ASK = [{"effect": "ask", "tool": "submit_experiment", "note": "look"}, {"effect": "allow"}]
METHOD = "def fit(context):\n    return context.student.fit(context.weak_probs, context.weights)\n"


@pytest.fixture
def agent(roles, settings, tmp_path):
    settings.WORKSPACES_DIR = tmp_path / "workspaces"
    make_method("code", options_schema=NO_OPTIONS)
    make_method("vanilla")
    return the_agent(make_campaign(benchmark=make_benchmark("geography")))


def test_the_workspace_becomes_a_snapshot_with_descent_and_an_experiment(agent):
    parent = create_snapshot(user=make_user("agent"), files={"method.py": "def fit(context): ..."})
    use(agent, "write_file", path="method.py", content=METHOD)
    use(agent, "write_file", path="parts/a.py", content="x = 1\n")
    use(agent, "write_file", path="notes.txt", content="not code")
    told = use(agent, "submit_experiment", **ASKED, workspace=True, parents=[parent.pk]).text
    made = Experiment.objects.get()
    snapshot = made.snapshot
    assert told == f"Experiment #{made.pk} of snapshot {snapshot.pk} is queued: 2 seeds."
    assert snapshot.files == {"method.py": METHOD, "parts/a.py": "x = 1\n"}
    assert (snapshot.submitter, made.submitter, made.campaign) == (agent.user, agent.user, agent.campaign_id)
    assert list(snapshot.parents.all()) == [parent]
    again = use(agent, "submit_experiment", **ASKED, workspace=True).text
    assert f"of snapshot {snapshot.pk} " in again
    assert Snapshot.objects.count() == 2


def test_anyones_snapshot_runs_and_reads(agent):
    author = make_user("agent", name="somebody")
    first = create_snapshot(user=author, files={"method.py": METHOD})
    grown = create_snapshot(user=author, files={"method.py": METHOD, "b.py": "1\n2\n3\n"}, parents=[first.pk])
    use(agent, "submit_experiment", **ASKED, snapshot=grown.pk)
    told = use(agent, "read_snapshot", snapshot=grown.pk).text
    assert f"snapshot {grown.pk}, first submitted by somebody" in told
    assert f"started from: {first.pk}; started from it: nothing yet" in told
    assert f"- #{Experiment.objects.get().pk} t (code on geography): queued" in told
    assert "- b.py: 3 lines, 6 bytes" in told
    assert f"started from it: {grown.pk}" in use(agent, "read_snapshot", snapshot=first.pk).text
    assert use(agent, "read_snapshot", snapshot=grown.pk, path="b.py", first_line=2, lines=1).text.startswith(
        "2\n[lines"
    )
    assert f"code: snapshot {grown.pk}" in use(agent, "read_experiment", experiment=Experiment.objects.get().pk).text
    assert "no snapshot 999" in refused(agent, "read_snapshot", snapshot=999)
    assert "no file 'c.py'" in refused(agent, "read_snapshot", snapshot=grown.pk, path="c.py")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "give exactly one of method, snapshot and workspace"),
        ({"method": "vanilla", "workspace": True}, "give exactly one of"),
        ({"snapshot": 1, "options": {"l2": 1}}, "options belong to a recipe"),
        ({"method": "vanilla", "parents": [1]}, "parents belong to code"),
        ({"snapshot": "x"}, "snapshot: Input should be a valid integer"),
    ],
)
def test_one_kind_of_method_at_a_time(agent, more, words):
    with pytest.raises(BadArguments, match=words):
        use(agent, "submit_experiment", **ASKED, **more)


def test_a_workspace_that_is_no_method_is_refused_with_the_reason(agent):
    assert "write method.py first" in refused(agent, "submit_experiment", **ASKED, workspace=True)
    use(agent, "write_file", path="other.py", content="x")
    assert "there is no method.py at the top" in refused(agent, "submit_experiment", **ASKED, workspace=True)
    (workspace_of(agent).folder / "method.py").write_bytes(b"\xff")
    assert "'method.py' is not UTF-8" in refused(agent, "submit_experiment", **ASKED, workspace=True)
    (workspace_of(agent).folder / "method.py").unlink()
    (workspace_of(agent).folder / "method.py").symlink_to("/etc/passwd")
    assert "there is no method.py" in refused(agent, "submit_experiment", **ASKED, workspace=True)
    assert not Experiment.objects.exists()


def test_an_outside_agent_has_no_workspace_here(agent, settings):
    agent.researcher = "outside"
    assert "POST snapshots/" in refused(agent, "submit_experiment", **ASKED, workspace=True)
    assert not settings.WORKSPACES_DIR.exists()


def test_code_that_no_worker_can_run_is_refused_with_its_reason(agent, settings):
    from experiments.models import Method

    Method.objects.filter(name="code").update(code_digest="")
    use(agent, "write_file", path="method.py", content=METHOD)
    assert "code is not run here at present" in refused(agent, "submit_experiment", **ASKED, workspace=True)


@pytest.mark.parametrize(
    "call",
    [("write_file", {"path": "a", "content": "x\0y"}), ("write_file", {"path": "\ud800", "content": ""}), ("x\0", {})],
)
def test_what_no_row_can_hold_is_told_and_not_run(agent, script, call):
    script += [thought("with \0 and \udfff", call), thought("fine", ("read_file", {}))]
    run_step(agent_id=agent.pk, worker="w")
    agent.refresh_from_db()
    action = Action.objects.get()
    assert (agent.state, action.state) == (AgentState.READY, ActionState.FAILED)
    assert "a NUL or half of a surrogate pair" in Entry.objects.get(kind="results").content[0]["content"]
    run_step(agent_id=agent.pk, worker="w")
    assert Action.objects.last().state == ActionState.DONE


def test_people_approve_of_the_code_that_they_have_seen(agent, script):
    """A workspace may be another by the time somebody has answered; what was asked about is what runs."""
    set_policy(user=make_user("admin"), campaign_id=agent.campaign_id, rules=ASK, reason="look at code first")
    use(agent, "write_file", path="method.py", content=METHOD)
    script += [thought("code", ("submit_experiment", {**ASKED, "workspace": True}))]
    run_step(agent_id=agent.pk, worker="w")
    approval = Approval.objects.get()
    seen = Snapshot.objects.get()
    asked = {**ASKED, "snapshot": seen.pk, "workspace": False, "options": {}, "parents": []}
    assert (approval.arguments, approval.action.arguments) == (asked,) * 2
    use(agent, "write_file", path="method.py", content="import os  # something else\n")
    approve(user=make_user("reviewer"), approval_id=approval.pk, note="fine")
    script += [thought("on", ("read_file", {}))]
    run_step(agent_id=agent.pk, worker="w")
    assert Experiment.objects.get().snapshot == seen
    assert seen.files == {"method.py": METHOD}


def test_what_cannot_be_run_is_not_asked_about(agent, script):
    set_policy(user=make_user("admin"), campaign_id=agent.campaign_id, rules=ASK, reason="look at code first")
    script += [thought("code", ("submit_experiment", {**ASKED, "workspace": True}))]
    run_step(agent_id=agent.pk, worker="w")
    assert "write method.py first" in Action.objects.get().result
    assert not Approval.objects.exists()
