"""Starts one PostgreSQL and one Valkey for a whole test session, before Django reads its settings.

A pytest plugin (`-p tests.services`). Databases are pytest-django's: one per xdist worker on the one server. With
DATABASE_URL and REDIS_URL set, the tests use those instead.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from aarweb.lab.paths import Paths
from aarweb.lab.processes import Group
from aarweb.lab.services import Services

_KEY = pytest.StashKey[tuple[Path, Group, Services]]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config):
    """A wrapper, because pytest-django reads the settings in a `tryfirst` implementation of this hook."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        _start(early_config)
    else:  # the environment is inherited; each worker has a Redis database of its own, of 16
        number = int(worker.removeprefix("gw")) + 1
        os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].rpartition('/')[0]}/{number % 16}"
        # the workers are the parallelism; threads of torch beside them would only wait for each other
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    return (yield)


def pytest_unconfigure(config):
    """Stops the servers and removes what they wrote."""
    if _KEY not in config.stash:
        return
    folder, group, services = config.stash[_KEY]
    del config.stash[_KEY]
    services.stop(group, hurry=lambda: True)  # nothing in there is worth a clean shutdown
    group.close()
    shutil.rmtree(folder, ignore_errors=True)


def _start(config):
    folder = Path(tempfile.mkdtemp(prefix="aarweb-test-"))
    os.environ["DATA_DIR"] = str(folder / "data")
    os.environ.setdefault("SECRET_KEY", "only-for-tests")
    os.environ.setdefault("SEED_SECRET", "only-for-tests")
    paths = Paths(folder / "data")
    paths.create()
    group = Group()
    services = Services(
        paths,
        database_url=os.environ.get("DATABASE_URL", ""),
        redis_url=os.environ.get("REDIS_URL", ""),
        durable=False,
    )
    config.stash[_KEY] = (folder, group, services)
    services.start(group, lambda name, line: None)
    os.environ.update(services.environment)
