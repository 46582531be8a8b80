"""`manage.py workspaces`: what is listed, and what is removed only when asked twice."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agents.models import Agent, Campaign
from agents.workspaces import workspace_of
from tests.agents.conftest import make_campaign, the_agent

pytestmark = pytest.mark.django_db


@pytest.fixture
def agents(roles, settings, tmp_path):
    """(of a campaign that ended forty days ago, of one that runs), each with a file."""
    settings.WORKSPACES_DIR = tmp_path / "workspaces"
    old, new = the_agent(make_campaign()), the_agent(make_campaign())
    ended = timezone.now() - timedelta(days=40)
    Campaign.objects.filter(pk=old.campaign_id).update(state="finished", ended_at=ended)
    for agent in (old, new):
        (workspace_of(agent).folder / "notes.txt").write_text("x")
    return old, new


def said(*arguments):
    out = StringIO()
    call_command("workspaces", *arguments, stdout=out)
    return out.getvalue()


def test_every_workspace_is_listed_with_what_it_holds(agents):
    lines = said("list").splitlines()
    assert [int(line.split()[0]) for line in lines] == [agent.pk for agent in agents]
    assert all("1 files" in line for line in lines)
    assert "ended" in lines[0] and "ended" not in lines[1]


def test_only_those_of_ended_campaigns_go_and_only_with_yes(agents):
    old, new = agents
    folder = workspace_of(old).folder
    (folder / "closed").mkdir()
    (folder / "closed" / "link").symlink_to("/etc")
    told = said("remove", "--ended-days", "30")
    assert told.startswith("would remove") and f"{old.pk}" in told and "Nothing was removed" in told
    assert folder.is_dir()
    assert said("remove", "--ended-days", "30", "--yes").startswith("removed")
    assert not folder.exists()
    assert workspace_of(new).read("notes.txt", 10) == b"x"
    assert said("remove", "--ended-days", "30", "--yes").startswith("No campaign")


def test_one_that_still_acts_keeps_its_files(agents):
    old, _ = agents
    Agent.objects.filter(pk=old.pk).update(state="acting")
    assert said("remove", "--ended-days", "30", "--yes").startswith("No campaign")
    assert (workspace_of(old).folder / "notes.txt").exists()


def test_a_lab_without_workspaces_says_so(settings, tmp_path):
    settings.WORKSPACES_DIR = tmp_path / "none"
    assert said("list") == "There are no workspaces on this machine.\n"


@pytest.mark.parametrize("days", ["-1", "soon", "1e3"])
def test_a_number_of_days_is_one(days):
    with pytest.raises(CommandError, match="no number of days"):
        said("remove", "--ended-days", days)
