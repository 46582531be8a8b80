"""The small parts of a lab: paths, secrets, the environment, back-off, the terminal, how many connections."""

import io
import os
import re
import stat
from pathlib import Path

import pytest
from django.conf import settings

from aarweb.lab import environment, keys, postgres, programs
from aarweb.lab.console import Console
from aarweb.lab.errors import LabError
from aarweb.lab.paths import SOCKET_NAME, SOCKET_PATH_BYTES, Paths, private_file, private_folder
from aarweb.lab.services import masked
from aarweb.lab.supervisor import Backoff


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_folders_are_closed_and_existing_ones_keep_their_modes(tmp_path):
    tmp_path.chmod(0o751)
    (tmp_path / "open").mkdir(mode=0o755)
    private_folder(tmp_path / "open" / "a" / "b")
    private_folder(tmp_path / "open")
    assert [mode(tmp_path / part) for part in (".", "open", "open/a", "open/a/b")] == [0o751, 0o755, 0o700, 0o700]


def test_a_private_file_is_closed_from_its_first_byte_and_replaces_the_old_one_whole(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    private_file(path, "new")
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_the_socket_is_in_data_dir_unless_its_path_is_too_long(tmp_path):
    assert Paths(Path("/short")).sockets == Path("/short/run")
    long = Paths(tmp_path / ("long" * 30))
    assert long.sockets != long.run
    assert len(os.fsencode(long.sockets / SOCKET_NAME)) <= SOCKET_PATH_BYTES
    assert Paths(tmp_path / ("other" * 30)).sockets != long.sockets
    long.create()
    try:
        assert mode(long.sockets) == 0o700
    finally:
        long.sockets.rmdir()


def test_a_secret_is_made_once_and_long(tmp_path):
    paths = Paths(tmp_path / "data")
    paths.create()
    first = keys.secret(paths, keys.SECRET_KEY)
    assert len(first) == 64
    assert keys.secret(paths, keys.SECRET_KEY) == first
    assert keys.secret(paths, keys.SEED_SECRET) != first
    (paths.secrets / keys.SECRET_KEY).write_text("")
    with pytest.raises(LabError, match="is empty: remove the file"):
        keys.secret(paths, keys.SECRET_KEY)


@pytest.fixture
def bare_environment(tmp_path, monkeypatch):
    """An environment without any of our variables, and a project folder of its own."""
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SEED_SECRET", "PORT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SECRET_KEY_FILE", "SEED_SECRET_FILE"):
        monkeypatch.setenv(name, "")  # so that monkeypatch takes away what `adopt` sets
        monkeypatch.delenv(name)
    monkeypatch.setattr(environment, "PROJECT", tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return tmp_path


def test_the_env_file_fills_what_the_environment_leaves_open(bare_environment):
    (bare_environment / ".env").write_text(
        '# first\nexport PORT=8123\nLOG_LEVEL="DEBUG"\n\nDATA_DIR=/elsewhere\n#X=1\n'
    )
    os.environ.pop("LOG_LEVEL", None)
    environment.adopt(starting=True)
    assert os.environ["PORT"] == "8123"
    assert os.environ["LOG_LEVEL"] == "DEBUG"
    assert os.environ["DATA_DIR"] == str(bare_environment / "data")
    assert "X" not in os.environ


def test_only_a_start_makes_secrets_and_only_other_commands_take_a_running_labs_addresses(bare_environment):
    environment.adopt(starting=False)
    assert "SECRET_KEY_FILE" not in os.environ
    assert not (bare_environment / "data").exists()

    environment.adopt(starting=True)
    assert Path(os.environ["SECRET_KEY_FILE"]).read_text()
    private_file(Paths(bare_environment / "data").addresses, "DATABASE_URL=postgres://x\nREDIS_URL=redis://y\n")
    environment.adopt(starting=True)
    assert "DATABASE_URL" not in os.environ
    environment.adopt(starting=False)
    assert (os.environ["DATABASE_URL"], os.environ["REDIS_URL"]) == ("postgres://x", "redis://y")


def test_a_process_that_keeps_dying_waits_longer_each_time_and_a_healthy_one_starts_over():
    backoff = Backoff(least=0.5, most=4.0, healthy_after=60.0)
    assert [backoff.next(1.0) for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert backoff.next(61.0) == 0.5


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://u:hidden@host/x", "postgres://u:***@host/x"),
        ("redis://:hidden@host:1/0", "redis://:***@host:1/0"),
        ("postgres://u:hid%2Fden@[::1/x", "postgres://u:***@[::1/x"),
        ("redis://host:1/0", "redis://host:1/0"),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    assert masked(url) == shown


def test_lines_are_prefixed_on_the_terminal_and_plain_in_the_files(tmp_path):
    out = io.StringIO()
    console = Console(tmp_path, out)
    console.log("web", "one")
    console.log("worker-gpu", "two", show=False)
    console.done("A step", 1.26)
    assert re.fullmatch(r"web +one\n(✓|ok) A step +1\.3 s\n", out.getvalue())
    assert (tmp_path / "web.log").read_text() == "one\n"
    assert console.tail("worker-gpu", 5) == ["two"]


def test_a_terminal_that_is_gone_does_not_end_the_lab(tmp_path):
    out = io.StringIO()
    console = Console(tmp_path, out)
    out.close()
    console.log("web", "still kept")
    assert console.tail("web", 1) == ["still kept"]


def test_all_pools_of_a_lab_together_fit_the_embedded_server(tmp_path):
    """Every process may fill its pool at once, and people's commands still find room."""
    variables = programs.environment(Paths(tmp_path), {})
    variables.pop("DATABASE_POOL", None)
    processes = [programs.web(variables, "127.0.0.1", 1), *programs.background(variables)]
    usual = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    pools = [int(process.environment.get("DATABASE_POOL", usual)) for process in processes]
    assert len(pools) == 6
    room_for_commands = 40  # four of them, with a pool each
    assert sum(pools) + room_for_commands <= int(postgres.SETTINGS["max_connections"])


@pytest.mark.parametrize("by_file", [False, True])
def test_only_the_agents_worker_is_given_the_model_key(tmp_path, monkeypatch, by_file):
    path = tmp_path / "key"
    path.write_text("sk-planted\n")
    given = {"ANTHROPIC_API_KEY_FILE": str(path)} if by_file else {"ANTHROPIC_API_KEY": "sk-planted"}
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_FILE", "CLAUDE_READY"):
        monkeypatch.delenv(name, raising=False)
    variables = programs.environment(Paths(tmp_path), given)
    made = [programs.prepare(variables), programs.web(variables, "127.0.0.1", 1), *programs.background(variables)]
    holders = {each.name for each in made if set(given) & set(each.environment)}
    assert holders == {"worker-agents"}
    told = {each.name for each in made if each.environment.get("CLAUDE_READY") == "1"}
    assert told == {each.name for each in made} - holders


def test_an_empty_key_is_none(tmp_path):
    empty = tmp_path / "key"
    empty.write_text("\n")
    for given in ({}, {"ANTHROPIC_API_KEY": ""}, {"ANTHROPIC_API_KEY_FILE": str(empty)}):
        assert environment.without_key({**given, "A": "1"}) == {"A": "1"}
    assert environment.without_key({"CLAUDE_READY": "0", "ANTHROPIC_API_KEY": "k"}) == {"CLAUDE_READY": "0"}


def test_every_queue_has_a_worker(tmp_path):
    commands = [program.command for program in programs.background({})]
    served = {queue for command in commands if "-Q" in command for queue in command[command.index("-Q") + 1].split(",")}
    assert served == {queue.name for queue in settings.CELERY_TASK_QUEUES}
