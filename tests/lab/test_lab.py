"""A whole lab: what it prints, what it heals, and that nothing outlives it."""

import os
import pwd
import re
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from tests.lab.labs import ROOT, Lab, as_account, free_port, manage, survivors, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow]

PROCESSES = {
    "web",
    "postgres",
    "valkey",
    "worker-gpu",
    "worker-evaluation",
    "worker-default",
    "worker-agents",
    "beat",
    "watchdog",
}
KEY = "sk-planted-for-the-agents-worker-alone"
# A session that does not exist: the web has to ask the database before it can send us to the login page.
ASKS_DATABASE = {"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"}


def modes(folder: Path) -> dict[Path, int]:
    return {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.parents)}


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A running lab, and the modes that the folders above DATA_DIR had before it."""
    home = tmp_path_factory.mktemp("home", numbered=True)
    home.chmod(0o750)
    before = modes(home)
    lab = Lab(home / "deep" / "data", ANTHROPIC_API_KEY=KEY)
    lab.url = lab.wait_for_url()
    yield lab, before
    lab.stop()


@pytest.fixture
def lab(started):
    return started[0]


def test_each_step_is_printed_with_its_time_and_then_one_link(lab):
    head = lab.text.split(lab.url)[0]
    for step in ("PostgreSQL and Valkey", "Migrations", "Roles", "Static files", "Web server"):
        assert re.search(rf"^(✓|ok) {step}.* \d+\.\d s$", head, flags=re.MULTILINE), step
    assert lab.text.count("/login/") == 1


def test_the_site_answers(lab):
    assert lab.get("/healthz") == 200
    assert lab.get("/", ASKS_DATABASE) < 400


def test_folders_that_are_not_ours_keep_their_modes(lab, started):
    assert modes(lab.data.parent.parent) == started[1]


def test_what_the_lab_keeps_is_closed_to_others(lab):
    assert stat.S_IMODE(lab.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((lab.data / "secrets").stat().st_mode) == 0o700
    secrets = list((lab.data / "secrets").iterdir())
    assert len(secrets) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in [*secrets, lab.data / "run" / "addresses"]} == {0o600}


def test_no_secret_is_on_a_command_line_or_on_the_terminal(lab):
    secrets = [path.read_text().strip() for path in (lab.data / "secrets").iterdir()]
    said = lab.text + " ".join(" ".join(process.cmdline()) for process in lab.everything())
    assert not [secret for secret in secrets if secret in said]


def test_gpu_workers_are_not_told_the_secret_that_seeds_come_from(lab):
    gpu = lab.children()["worker-gpu"].environ()
    assert not [name for name in gpu if name.startswith("SEED_SECRET")]
    assert "SEED_SECRET_FILE" in lab.children()["worker-evaluation"].environ()


def test_no_process_but_the_agents_worker_has_the_model_key_in_its_environment(lab):
    wait_until(lambda: set(lab.children()) >= PROCESSES, "every process of the lab")
    found = {name: process.environ() for name, process in lab.children().items()}
    assert {name for name, variables in found.items() if KEY in variables.values()} == {"worker-agents"}
    below = [each for name, process in lab.children().items() if name != "worker-agents"
             for each in process.children(recursive=True)]  # fmt: skip
    assert not [each for each in below if KEY in each.environ().values()]
    assert found["web"]["CLAUDE_READY"] == "1"


def test_a_command_in_another_terminal_reaches_the_lab(lab):
    answer = manage("showmigrations", "--plan", data=lab.data)
    assert answer.returncode == 0
    assert "[X]" in answer.stdout
    assert "[ ]" not in answer.stdout


def test_a_second_lab_on_the_same_data_is_refused(lab):
    answer = manage("up", data=lab.data, PORT=str(free_port()))
    assert answer.returncode == 1
    assert f"A lab is already running on {lab.data} (process {lab.process.pid})" in answer.stdout
    assert "Traceback" not in answer.stdout


def test_a_second_lab_beside_it_has_its_own_everything(lab, tmp_path):
    other = Lab(tmp_path / "other")
    try:
        other.wait_for_url()
        assert other.get("/healthz") == lab.get("/healthz") == 200
        addresses = [(each.data / "run" / "addresses").read_text() for each in (lab, other)]
        assert addresses[0] != addresses[1]
    finally:
        assert other.stop() == 0
    assert lab.get("/healthz") == 200


def test_whatever_is_killed_comes_back(lab):
    before = lab.children()
    assert before.keys() == PROCESSES
    for process in before.values():
        process.kill()

    def back() -> bool:
        now = lab.children()
        return now.keys() == PROCESSES and not {p.pid for p in now.values()} & {p.pid for p in before.values()}

    wait_until(back, f"all processes again; the lab says:\n{lab.text}")
    wait_until(lambda: lab.get("/", ASKS_DATABASE) in range(200, 400), "the site and its database again")
    assert "web ended (killed by SIGKILL); again in 0.5 s" in lab.text


def test_a_database_that_was_away_costs_no_request_afterwards(lab):
    wait_until(lambda: lab.get("/", ASKS_DATABASE) in range(200, 400), "a connection in the web's pool")
    address = re.search("DATABASE_URL=(.*)", (lab.data / "run" / "addresses").read_text()).group(1)
    lab.children()["postgres"].kill()

    def answers() -> bool:
        try:
            psycopg.connect(address, connect_timeout=20).close()
        except psycopg.OperationalError:
            return False
        return True

    wait_until(answers, "PostgreSQL again")
    assert {lab.get("/", ASKS_DATABASE) for _ in range(12)} <= set(range(200, 400))


def test_workers_answer_after_the_broker_was_away(lab):
    wait_until(lambda: "valkey" in lab.children(), "Valkey")
    lab.children()["valkey"].kill()
    command = ["-m", "celery", "-A", "aarweb", "inspect", "ping", "--timeout", "5"]
    addresses = dict(line.split("=", 1) for line in (lab.data / "run" / "addresses").read_text().splitlines())
    variables = os.environ | addresses | {"SECRET_KEY": "of no use here", "DATA_DIR": str(lab.data)}

    def they_answer() -> bool:  # but for the gpu worker, which may be at work and answers afterwards
        answer = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
        )
        return "worker-default@" in answer.stdout and "worker-evaluation@" in answer.stdout

    wait_until(they_answer, "the workers", 300)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A lab that was told to stop, and what was left of its processes; others start from what it kept."""
    first = Lab(tmp_path_factory.mktemp("stopped") / "data")
    first.wait_for_url()
    processes = first.everything()
    assert first.stop(signal.SIGTERM) == 0
    return first, survivors(processes)


def test_it_stops_everything_when_told_to(stopped):
    first, left = stopped
    assert left == []
    assert first.text.endswith("Stopped.")
    assert "Killed" not in first.text
    assert not (first.data / "run" / "addresses").exists()


def test_it_starts_again_from_what_it_kept_and_nothing_outlives_a_supervisor_that_is_killed_and_the_next_heals(stopped):
    first = stopped[0]
    second = Lab(first.data, port=first.port)
    second.wait_for_url()
    assert "Migrations (0 applied)" in second.text
    processes = second.everything()
    second.process.kill()
    second.process.wait()
    wait_until(lambda: survivors(processes) == [], "the end of all processes")

    third = Lab(first.data, port=first.port)
    third.wait_for_url()
    assert third.get("/", ASKS_DATABASE) in range(200, 400)
    assert third.stop(signal.SIGINT) == 0


def test_a_start_that_is_interrupted_leaves_nothing(tmp_path):
    lab = Lab(tmp_path / "data")
    wait_until(lambda: "PostgreSQL and Valkey" in lab.text, "the services")
    processes = lab.everything()
    assert lab.stop() == 0
    assert survivors(processes) == []
    assert "Traceback" not in lab.text


def test_an_ordinary_user_needs_nothing_from_root():
    """As root we become one; as an ordinary user all the other tests say it."""
    if os.geteuid() != 0:
        pytest.skip("we are an ordinary user: every other test here shows it")
    entry = next((entry for entry in pwd.getpwall() if entry.pw_name == "nobody"), None)
    if entry is None:
        pytest.skip("no account named nobody")
    account = (entry.pw_uid, entry.pw_gid)
    try:
        opens = [sys.executable, "-c", f"open({str(ROOT / 'manage.py')!r})"]
        subprocess.run(opens, **as_account(account), check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"other accounts may not enter the folders of {sys.executable} or of this checkout")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, *account)
        lab = Lab(Path(folder) / "data", account=account, HOME=folder, FEATURE_CACHE_DIR=f"{folder}/features")
        try:
            lab.wait_for_url()
            assert {process.uids().real for process in lab.everything()} == {account[0]}
        finally:
            assert lab.stop() == 0
