"""A campaign goes to another lab, with a database, keys and data of its own, by the commands that people use."""

import json
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from tests.agents.processes import ROOT, environment
from tests.agents.test_archives import exported, files_of
from tests.oversight.test_archive import judged_campaign

pytestmark = pytest.mark.django_db
NAME = "another_lab"
DIFFERS: dict[str, str] = {}
"""File of an archive, or key of its manifest -> why it differs after a round trip by design: none does.

What must read otherwise in the other lab (ids, names of people, benchmarks and methods, what had not ended) is noted
there beside each row, and undone on the way out; the manifest names the lab and the campaign that it came from.
"""


class Lab:
    """Another lab on the same server."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables

    def manage(self, *arguments: str, refused: bool = False) -> str:
        """What a command prints; refused: what it says instead of doing it."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._variables, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) is refused, done.stderr[-4000:]
        return done.stderr if refused else done.stdout

    def rows(self, query: str) -> list[tuple]:
        """Straight from its database."""
        with psycopg.connect(self._variables["DATABASE_URL"]) as here:
            return here.execute(query).fetchall()


@pytest.fixture(scope="module")
def second_lab(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Lab]:
    """Prepared as `manage.py up` does it, and empty but for what it brings itself."""
    with django_db_blocker.unblock():
        variables = environment(
            SECRET_KEY="another-secret-key-of-another-lab-0123456789", SEED_SECRET="another-seed-secret-0123456789",
            DATA_DIR=str(tmp_path_factory.mktemp("another-lab")), PUBLIC_URL="https://another.example", DEBUG="1",
        )  # fmt: skip
        name = f"{connection.settings_dict['NAME']}_{NAME}"
    database = urlsplit(variables["DATABASE_URL"])
    for key in ("GROUND_TRUTH_DIR", "FEATURE_CACHE_DIR"):
        variables.pop(key, None)
    variables["DATABASE_URL"] = database._replace(path=f"/{name}").geturl()
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(database.geturl(), autocommit=True) as server:
        server.execute(drop)
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            lab = Lab(variables)
            lab.manage("prepare")
            yield lab
        finally:
            server.execute(drop)


def differing(before: bytes, after: bytes) -> set[str]:
    """Files of two archives whose digests their manifests tell differently."""
    one, other = (json.loads(files_of(each)["manifest.json"]) for each in (before, after))
    names = set(one["files"]) | set(other["files"])
    found = {name for name in names if one["files"].get(name) != other["files"].get(name)}
    return found | {key for key in one if key not in ("files", "content_sha256") and one[key] != other.get(key)}


@pytest.mark.slow
def test_a_campaign_goes_to_another_lab_and_comes_out_of_it_as_it_was(second_lab, tmp_path):
    campaign = judged_campaign()
    for holdout in (False, True):
        here = exported(campaign.pk, holdout=holdout)
        there = tmp_path / f"there-{holdout}.tar.gz"
        there.write_bytes(here)
        made = json.loads(second_lab.manage("import_campaign", str(there), "--json"))
        assert made["source_campaign"] == campaign.pk
        again = tmp_path / f"again-{holdout}.tar.gz"
        options = ["--holdout"] if holdout else []
        second_lab.manage("export", str(made["campaign"]), "--out", str(again), *options)
        assert differing(here, again.read_bytes()) == set(DIFFERS)
        assert bool(DIFFERS) or again.read_bytes() == here
        said = second_lab.manage("import_campaign", str(there), refused=True)
        assert f"it is campaign {made['campaign']}" in said
    # with the holdout there, and asked for without it: what this lab would have given
    open_one = tmp_path / "open.tar.gz"
    second_lab.manage("export", str(made["campaign"]), "--out", str(open_one))
    assert differing(exported(campaign.pk), open_one.read_bytes()) == set(DIFFERS)
    # nothing of it runs, logs in or counts there
    assert second_lab.rows("SELECT count(*) FROM experiments_importedcampaign") == [(2,)]
    assert second_lab.rows("SELECT DISTINCT is_active FROM auth_user WHERE username LIKE '%@import-%'") == [(False,)]
    states = "SELECT DISTINCT state FROM experiments_benchmark WHERE slug LIKE 'import-%'"
    assert second_lab.rows(states) == [("reference",)]
    assert second_lab.rows("SELECT count(*) FROM agents_token") == [(0,)]
    second_lab.manage("audit", "verify")
