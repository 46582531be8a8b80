"""Probes on demand: who may ask by REST and by the page, what comes of it, and repeated calls."""

import pytest

from experiments.archives.models import ImportedCampaign, ImportedRow
from experiments.lifecycle import ProbeKind
from experiments.probe_models import Probe
from tests.api.conftest import caller, problem  # noqa: F401 - a fixture
from tests.factories import make_experiment, make_user
from tests.oversight.conftest import agents_experiment
from tests.pages.conftest import _plain_static_files, logged_in  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
KINDS = len(ProbeKind.values)


def test_a_reviewer_asks_once_and_everybody_of_the_lab_sees_how_far_it_is(caller):  # noqa: F811
    reviewer, experiment = caller("reviewer"), agents_experiment()
    path = f"experiments/{experiment.pk}/probes/"
    assert reviewer.get(path).json() == {"results": []}
    made = reviewer.send(path, {"kinds": ["replay", "batch"]}, key="k")
    assert made.status_code == 201
    assert made["Location"].endswith(path)
    assert [(each["kind"], each["state"]) for each in made.json()["results"]] == [
        ("batch", "queued"),
        ("replay", "queued"),
    ]
    assert made.json()["results"][0]["requested_by"] == reviewer.user.username
    again = reviewer.send(path, {"kinds": ["replay", "batch"]}, key="k")
    assert (again.json(), again["Idempotent-Replayed"]) == (made.json(), "true")
    assert len(reviewer.send(path, {}).json()["results"]) == KINDS  # the other kinds; none that is under way again
    Probe.objects.filter(kind="replay").update(state="done", numbers={"differing": 0})
    seen = caller("viewer").get(path).json()["results"]
    assert {each["state"] for each in seen} == {"queued", "done"}
    assert "differing" not in str(seen)
    assert len(reviewer.send(path, {"kinds": ["replay"]}).json()["results"]) == KINDS + 1  # the first one has ended


def test_who_may_not_ask_and_what_cannot_be_probed(caller):  # noqa: F811
    experiment = agents_experiment()
    path = f"experiments/{experiment.pk}/probes/"
    for role in ("viewer", "researcher"):
        problem(caller(role).send(path, {}), 403, "forbidden")
    own = caller("agent")
    type(experiment).objects.filter(pk=experiment.pk).update(submitter=own.user)
    problem(own.send(path, {}), 403, "forbidden")
    problem(own.get(path), 403, "forbidden")
    reviewer = caller("reviewer")
    answer = problem(reviewer.send(path, {"kinds": ["backwards"]}), 400, "invalid")
    assert "replay" in answer["errors"][0]["detail"]
    problem(reviewer.send(path, {"kinds": []}), 400, "invalid")
    problem(reviewer.send(path, {"kind": "replay"}), 400, "invalid")
    problem(reviewer.send("experiments/999999/probes/", {}), 404, "not-found")
    problem(reviewer.send(f"experiments/{make_experiment().pk}/probes/", {}), 409, "illegal-transition")
    source = ImportedCampaign.objects.create(
        campaign=9, lab="elsewhere", source_campaign=1, content_digest="d", manifest={}, imported_by=make_user("admin")
    )
    ImportedRow.objects.create(source=source, table="experiments", original_id=1, local_id=experiment.pk)
    problem(reviewer.send(path, {}), 422, "refused")
    assert not Probe.objects.exists()


def test_the_experiments_page_has_the_button_for_reviewers_only():
    experiment = agents_experiment()
    part, door = f"/experiments/{experiment.pk}/flags/", f"/experiments/{experiment.pk}/probe/"
    reviewer, viewer = logged_in(make_user("reviewer")), logged_in(make_user("viewer"))
    assert door in reviewer.get(part).content.decode()
    assert door not in viewer.get(part).content.decode()
    assert viewer.post(door).status_code == 403
    assert reviewer.post("/experiments/999999/probe/").status_code == 404
    told = reviewer.post(door, follow=True).content.decode()
    assert f"{KINDS} probes wait for a worker." in told
    assert "under way already" in reviewer.post(door, follow=True).content.decode()
    shown = viewer.get(part).content.decode()
    assert "All weak labels turned round" in shown
    assert "Queued" in shown
    assert Probe.objects.count() == KINDS


def test_one_that_is_not_scored_has_no_button_and_says_why_it_cannot():
    queued = make_experiment()
    reviewer = logged_in(make_user("reviewer"))
    assert "/probe/" not in reviewer.get(f"/experiments/{queued.pk}/flags/").content.decode()
    assert "only scored ones" in reviewer.post(f"/experiments/{queued.pk}/probe/", follow=True).content.decode()
