"""Every endpoint × role: the answers are those of matrix.txt, and the promises hold whatever the file says."""

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client, override_settings

from aarweb.roles import sync_roles
from tests.access.matrix import ADMIN, FILE, METHODS, answers, doors, parsed, routes, table
from tests.access.world import ACTORS, AGENTS, make_world
from tests.factories import make_user

pytestmark = pytest.mark.django_db

# What answers anybody: the login page, whether the lab lives, and how its API is called.
OPEN = {"GET /login/", "POST /login/", "POST /logout/", "GET /healthz", "GET /api/schema/", "GET /api/docs/"}
# What an account without a role is told: who it is.
ITSELF = "GET /api/v1/me/"
# Pages find their static files without the manifest that `manage.py prepare` makes.
PLAIN = {**settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


@pytest.fixture(scope="module")
def found(django_db_setup, django_db_blocker):
    """{label: {actor: status}} as the lab answers now."""
    with django_db_blocker.unblock(), override_settings(STORAGES=PLAIN), transaction.atomic():
        sync_roles()
        world = make_world()
        asked = {door.label: answers(world, door) for door in doors()}
        transaction.set_rollback(True)
    return asked


def test_every_answer_is_the_one_of_the_file(found, request):
    if request.config.getoption("--regenerate"):
        FILE.write_text(table(found))
    known = parsed(FILE.read_text())
    assert sorted(found) == sorted(known), "a route is new or gone: pytest tests/access --regenerate, and read it"
    changed = {label: (known[label], row) for label, row in found.items() if row != known[label]}
    assert not changed


def test_nothing_breaks(found):
    assert not {label: row for label, row in found.items() if any(status[0] == "5" for status in row.values())}


def test_strangers_get_in_nowhere(found):
    for label, row in found.items():
        for actor in ("anonymous", "nobody"):
            if label in OPEN or (label, actor) == (ITSELF, "nobody"):
                continue
            assert row[actor][0] in "34", (label, actor, row[actor])
            assert row[actor] not in ("304", "303", "307"), (label, actor)
    assert all(row["anonymous"] in ("401", "404", "405") for label, row in found.items() if " /api/v1/" in label)


def test_agents_have_the_api_and_nothing_else(found):
    for label, row in found.items():
        if " /api/" not in label and label not in OPEN:
            assert not [actor for actor in AGENTS if row[actor][0] == "2"], (label, row)


def test_a_viewer_changes_nothing_but_what_is_his_own(found):
    own = {"POST /logout/", "POST /login/", "POST /forum/read/", "POST /forum/preview/"}
    own |= {f"POST /notifications/{each}/" for each in ("read", "choose", "webhook")}  # one's own news and where to
    for label, row in found.items():
        if not label.startswith("GET") and label not in OPEN | own:
            assert row["viewer"][0] == "4", (label, row["viewer"])


def test_a_paused_agent_reads_and_writes_nothing(found):
    for label, row in found.items():
        if " /api/v1/" in label and not label.startswith("GET") and row["other"][0] == "2":
            assert row["paused"] == "423", (label, row)
        if label.startswith("GET"):
            assert row["paused"] == row["other"], (label, row)


def test_no_agent_decides_over_agents(found):
    verbs = ("pause/", "resume/", "stop/", "message/", "freeze/", "thaw/", "start/", "hide/", "unhide/", "pin/")
    for label, row in found.items():
        if label.endswith(verbs):
            assert all(row[actor][0] == "4" or row[actor] == row["anonymous"] for actor in AGENTS), (label, row)


@override_settings(STORAGES=PLAIN)
def test_the_admin_site_is_for_administrators(roles):
    clients = {role: Client() for role in ("viewer", "researcher", "reviewer", "agent", "")}
    for role, client in clients.items():
        client.force_login(make_user(role, f"someone-{role or 'none'}"))
    clients["anonymous"] = Client()
    paths = [path for path, _ in routes() if path.startswith(ADMIN) and "<" not in path and "(" not in path]
    assert len(paths) > 5
    for path in paths:
        if path in (f"{ADMIN}logout/", f"{ADMIN}jsi18n/"):
            continue
        for role, client in clients.items():
            assert client.get(f"/{path}").status_code in (302, 403), (path, role)


def test_the_file_names_every_actor_and_method():
    rows = parsed(FILE.read_text())
    assert all(set(row) == set(ACTORS) for row in rows.values())
    assert {label.split()[0] for label in rows} <= set(METHODS)
