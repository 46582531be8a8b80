"""The API asked by schemathesis with what its own schema allows, and with what it forbids: never a 5xx.

Every call is undone. Half of the identifiers in addresses are those of rows that exist, so that requests get past the
404; the other half, and everything else, is drawn from the schema.
"""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from aarweb.roles import sync_roles
from tests.access.world import World, make_world

pytestmark = pytest.mark.django_db
CALLERS = ("admin", "agent")
# Waits for a scorer on another queue: what it answers to a bad vector is tested by its own file.
SLOW = {("POST", "/api/v1/evaluations/")}


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker) -> Any:
    """One lab for all the calls."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    storages = {**django_settings.STORAGES, "staticfiles": plain}
    with django_db_blocker.unblock(), override_settings(STORAGES=storages), transaction.atomic():
        sync_roles()
        yield make_world()
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def operations(world: World) -> list[Any]:
    """Every operation of the published schema."""
    published = json.loads(world.clients["admin"].get("/api/schema/?format=json").content)
    return [found.ok() for found in schemathesis.openapi.from_dict(published).get_all_operations()]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
@pytest.mark.parametrize("caller", CALLERS)
def test_no_request_breaks_the_api(world, operations, caller, mode, request):
    examples = request.config.getoption("--fuzz-examples")
    answers: dict[int, int] = {}
    for operation in operations:
        if (operation.method.upper(), operation.path) in SLOW:
            continue

        @settings(
            max_examples=examples,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
        def call(case: Any, known: bool) -> None:
            response, address = send(world, caller, case, known=known)
            answers[response.status_code] = answers.get(response.status_code, 0) + 1
            assert response.status_code < 500, f"{case.method} {address} {case.body!r}: {response.content[:500]!r}"
            if response.status_code >= 400 and address.startswith("/api/v1/"):
                assert response["Content-Type"] == "application/problem+json", (address, response.content[:200])

        with suppress(Unsatisfiable):  # an operation without input has nothing forbidden
            call()
    print(f"\n{caller}, {mode.value}: " + ", ".join(f"{count} × {code}" for code, count in sorted(answers.items())))
    assert sum(answers.values()) > len(operations)


def send(world: World, caller: str, case: Any, *, known: bool) -> tuple[Any, str]:
    """The case as a request to the lab; undone. Returns: response, address."""
    drawn = {**(case.path_parameters or {})}
    if known:
        drawn = {name: world.samples.get(name, value) for name, value in drawn.items()}
    address = case.path
    for name, value in drawn.items():
        address = address.replace(f"{{{name}}}", quote(str(value), safe=""))
    if case.query:
        address += "?" + urlencode(case.query, doseq=True, errors="surrogatepass")
    body, kind = b"", "application/json"
    if type(case.body).__name__ != "NotSet":
        body = json.dumps(case.body, default=str).encode("utf-8", "surrogatepass")
    client = world.clients[caller]
    client.raise_request_exception = False
    with transaction.atomic():
        response = client.generic(case.method, address, body, content_type=kind)
        if response.streaming:
            b"".join(response.streaming_content)
        transaction.set_rollback(True)
    return response, address
