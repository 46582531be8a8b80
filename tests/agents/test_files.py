"""tests agents/tools/{read,write,edit}_file.py and agents/workspaces.py: a folder that somebody plays tricks in."""

import os

import pytest

from agents import workspaces
from agents.tools import BadArguments
from agents.workspaces import code_of, workspace_of
from tests.agents.conftest import AgentPlan, make_campaign, the_agent
from tests.agents.toolbox import refused, use

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(roles, settings, tmp_path):
    settings.WORKSPACES_DIR = tmp_path / "workspaces"
    return the_agent(make_campaign())


@pytest.fixture
def folder(agent):
    return workspace_of(agent).folder


def test_a_workspace_is_made_when_it_is_needed_and_nobody_else_can_look_in(agent, settings):
    assert not settings.WORKSPACES_DIR.exists()
    assert use(agent, "read_file").text == "Your workspace is empty."
    assert settings.WORKSPACES_DIR.stat().st_mode & 0o077 == 0
    assert (settings.WORKSPACES_DIR / str(agent.pk)).is_dir()


def test_each_agent_has_its_own(roles, settings, tmp_path):
    settings.WORKSPACES_DIR = tmp_path / "workspaces"
    plans = [
        AgentPlan(researcher="search", direction="simplicity"),
        AgentPlan(researcher="search", direction="critics"),
    ]
    one, other = make_campaign(agents=plans).agents.order_by("pk")
    use(one, "write_file", path="a.py", content="1")
    assert use(other, "read_file").text == "Your workspace is empty."
    assert "no path inside" in refused(other, "read_file", path=f"../{one.pk}/a.py")


def test_write_read_edit(agent):
    assert use(agent, "write_file", path="parts/a.py", content="ä = 1\nb = 2\n").text == "Wrote 13 bytes to parts/a.py."
    assert use(agent, "edit_file", path="parts/a.py", old="b = 2", new="b = 3").text.startswith("Replaced 1 passage in")
    assert use(agent, "read_file", path="/workspace/parts/a.py").text == "ä = 1\nb = 3\n"
    use(agent, "write_file", path="long.py", content="".join(f"{i}\n" for i in range(1, 1001)))
    assert use(agent, "read_file", path="long.py", first_line=5, lines=2).text == "5\n6\n[lines 5 to 6 of 1000]"
    assert use(agent, "read_file", path="long.py", first_line=2000).text == "[the file has 1000 lines]"
    assert use(agent, "read_file").text == "long.py\nparts/a.py"


def test_an_edit_must_match_exactly_once(agent):
    use(agent, "write_file", path="a.py", content="x = 1\nx = 1\ny = 2\n")
    assert "does not hold that passage" in refused(agent, "edit_file", path="a.py", old="x  = 1", new="")
    assert "2 times" in refused(agent, "edit_file", path="a.py", old="x = 1", new="")
    use(agent, "edit_file", path="a.py", old="x = 1", new="z", everywhere=True)
    assert use(agent, "read_file", path="a.py").text == "z\nz\ny = 2\n"


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../outside", "a//b", "./a", "a\0b"])
def test_no_path_leads_out(agent, folder, path):
    (folder.parent / "outside").write_text("secret")
    for tool, more in (("read_file", {}), ("write_file", {"content": "x"}), ("edit_file", {"old": "s", "new": "x"})):
        assert "no path inside the workspace" in refused(agent, tool, path=path, **more)
    assert (folder.parent / "outside").read_text() == "secret"


@pytest.mark.parametrize("kind", ["link", "folder", "hard link", "pipe"])
def test_no_trick_with_files_leads_out_or_hangs(agent, folder, tmp_path, kind):
    """As a command in the workspace could have left it."""
    outside = tmp_path / "secrets"
    outside.mkdir()
    (outside / "f").write_text("secret")
    path = "trick"
    match kind:
        case "link":
            (folder / "trick").symlink_to(outside / "f")
        case "folder":
            (folder / "trick").symlink_to(outside)
            path = "trick/f"
        case "hard link":
            os.link(outside / "f", folder / "trick")
        case "pipe":
            os.mkfifo(folder / "trick")
    for tool, more in (("read_file", {}), ("write_file", {"content": "x"}), ("edit_file", {"old": "s", "new": "x"})):
        assert refused(agent, tool, path=path, **more)
    assert (outside / "f").read_text() == "secret"
    assert "f" not in code_of(workspace_of(agent))


def test_what_does_not_fit_is_not_written(agent, monkeypatch):
    monkeypatch.setattr(workspaces, "MOST_BYTES", 100_000)
    monkeypatch.setattr(workspaces, "MOST_FILES", 3)
    use(agent, "write_file", path="a", content="x" * 60_000)
    assert "more do not fit" in refused(agent, "write_file", path="b", content="x" * 60_000)
    use(agent, "write_file", path="b", content="x")
    use(agent, "write_file", path="c", content="x")
    assert "3 files" in refused(agent, "write_file", path="d", content="x")


def test_binary_and_large_files_are_told(agent, folder):
    (folder / "b").write_bytes(b"\xff\xfe")
    assert "is not UTF-8 text (byte 0)" in refused(agent, "read_file", path="b")
    (folder / "l").write_bytes(b"x" * 1_000_001)
    assert "more than 1,000,000 bytes; use shell" in refused(agent, "read_file", path="l")
    with pytest.raises(BadArguments, match="content: Input should be a valid string"):
        use(agent, "write_file", path="s", content="\ud800")


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("write_file", {"content": "x"}, "path: Field required"),
        ("write_file", {"path": "a", "content": "x" * 1_000_001}, "content: String should have at most 1000000"),
        ("edit_file", {"path": "a", "old": "", "new": ""}, "old: String should have at least 1 character"),
        ("read_file", {"path": ["a"]}, "path: Input should be a valid string"),
        ("read_file", {"first_line": 0}, "first_line: Input should be greater than or equal to 1"),
        ("shell", {"command": "ls", "seconds": 301}, "seconds: Input should be less than or equal to 300"),
        ("shell", {"command": "ls", "timeout": 3}, "timeout: Extra inputs are not permitted"),
        ("read_snapshot", {"snapshot": "seven"}, "snapshot: Input should be a valid integer"),
    ],
)
def test_arguments_that_make_no_sense_are_told_field_by_field(agent, tool, arguments, words):
    with pytest.raises(BadArguments) as refusal:
        use(agent, tool, **arguments)
    assert words in str(refusal.value)
    assert f"{tool}: " in str(refusal.value)


def test_method_code_is_the_python_files_without_hidden_folders(agent, folder):
    for path in ("method.py", "parts/a.py", "notes.txt", ".venv/x.py"):
        use(agent, "write_file", path=path, content=path)
    assert code_of(workspace_of(agent)) == {"method.py": "method.py", "parts/a.py": "parts/a.py"}
