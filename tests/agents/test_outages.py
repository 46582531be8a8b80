"""The broker or the database goes away in the middle of a campaign, and the agents go on afterwards with nothing lost.

On a lab of their own (tests/agents/outages.py), because every other test shares the session's services.
"""

import os
import socket
import subprocess
import sys

import pytest

from tests.agents.processes import ROOT

pytestmark = pytest.mark.slow
SERVICES = ("valkey", "postgres")  # one after the other in one lab: a start takes longer than what is tested
_NOT_INHERITED = ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "PYTEST_CURRENT_TEST", "DJANGO_SETTINGS_MODULE")


def test_agents_go_on_after_the_broker_and_after_the_database_was_away():
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    command = [sys.executable, "-m", "tests.agents.outages", *SERVICES]
    done = subprocess.run(command, cwd=ROOT, env=inherited, capture_output=True, text=True, timeout=600, check=False)
    print(done.stdout, done.stderr[-6000:] if done.returncode else "")
    assert done.returncode == 0, done.stdout
    for service in SERVICES:
        assert f"{service} away for 6 s" in done.stdout


def test_a_wake_up_is_not_waited_for_when_there_is_no_broker():
    """Every commit sends some: pages and steps would stand still for seconds each."""
    code = (
        "import time, django; django.setup(); import aarweb.celery\n"
        "from agents import dispatch\n"
        "dispatch._send(1)\n"
        "started = time.monotonic(); dispatch._send(1); dispatch._send(2)\n"
        "print('took', time.monotonic() - started)"
    )
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        nowhere = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        variables = {**os.environ, "REDIS_URL": nowhere, "DJANGO_SETTINGS_MODULE": "aarweb.settings"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True, check=True
        )
    assert done.stderr.count("was not woken, the reaper will") == 3, done.stderr
    assert float(done.stdout.split()[-1]) < 3, "12 s with the broker's own retries"
