"""The broker or the database goes away in the middle of a campaign, and the agents go on afterwards with nothing lost.

Each on a lab of its own (tests/agents/outages.py), because every other test shares the session's services.
"""

import os
import subprocess
import sys

import pytest

from tests.agents.processes import ROOT

pytestmark = pytest.mark.slow
_NOT_INHERITED = ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "PYTEST_CURRENT_TEST", "DJANGO_SETTINGS_MODULE")


@pytest.mark.parametrize("service", ["valkey", "postgres"])
def test_agents_go_on_after_it_was_away(service):
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    command = [sys.executable, "-m", "tests.agents.outages", service]
    done = subprocess.run(command, cwd=ROOT, env=inherited, capture_output=True, text=True, timeout=400, check=False)
    print(done.stdout, done.stderr[-6000:] if done.returncode else "")
    assert done.returncode == 0, done.stdout
    assert f"{service} away for 6 s" in done.stdout
